"""(2) to (4): who is this, may they do this, is there room left."""
