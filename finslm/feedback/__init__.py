"""Corrections of users: kept redacted, sealed and with consent, until they are trained on, expire or are erased."""

from finslm.feedback.record import Feedback, NewFeedback
from finslm.feedback.store import FeedbackEvent, FeedbackStore, Holding

__all__ = ["Feedback", "FeedbackEvent", "FeedbackStore", "Holding", "NewFeedback"]
