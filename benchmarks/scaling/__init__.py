"""How small can it be: parameters against held-out text and against the accuracy of tasks of finance."""
