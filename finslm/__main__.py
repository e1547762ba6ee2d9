"""``python -m finslm``."""

from finslm.cli import main

main()
