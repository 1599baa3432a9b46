"""Networks of order books: labels from the mid, splits in time, the rule they must beat, and what came of it."""

from triptych.training.books.history import BookHistory, history_of_fi2010, history_of_tape, rhythm_of
from triptych.training.books.labels import classes_of, fit_threshold, future_moves
from triptych.training.books.rule import QueueRule, fit_queue_rule
from triptych.training.books.scoring import BookScores, score_books
from triptych.training.books.splits import BookFold, book_folds

__all__ = [
    "BookFold",
    "BookHistory",
    "BookScores",
    "QueueRule",
    "book_folds",
    "classes_of",
    "fit_queue_rule",
    "fit_threshold",
    "future_moves",
    "history_of_fi2010",
    "history_of_tape",
    "rhythm_of",
    "score_books",
]
