"""How well the guard on answers finds disguised values of a request, how often it is wrong, what it costs."""
