"""Documents of a bank with the fields that stand in them: what the extraction adapter is trained and tested on."""
