"""From corrections of users to rows to train on, with splits that stay, a recipe and a data card."""

from finslm.train.feedback.rows import Row, Selection, select
from finslm.train.feedback.write import Built, write

__all__ = ["Built", "Row", "Selection", "select", "write"]
