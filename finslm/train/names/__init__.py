"""The name classifier of the redactor: text made for it, its training, its export."""
