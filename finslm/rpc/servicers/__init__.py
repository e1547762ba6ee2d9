"""One servicer a file: each turns a message into a call of the pipeline, and its result into a message."""
