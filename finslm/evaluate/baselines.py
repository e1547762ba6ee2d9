"""What a model must beat to be worth running: a linear classifier on word and character counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finslm.evaluate.metrics import Labels


def tfidf_svm(train: Sequence[str], labels: Labels, test: Sequence[str]) -> Labels:
    """Predict with TF-IDF (words 1-2, characters 2-5) and a linear support vector machine.

    Args:
        train: [N] texts.
        labels: [N] label ids.
        test: [M] texts.

    Returns:
        [M] label ids.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ),
        LinearSVC(random_state=0),
    )
    model.fit(train, labels)
    return np.asarray(model.predict(test), dtype=np.int64)
