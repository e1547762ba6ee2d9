"""Detection by models: where they are, how long text is cut, what they say."""
