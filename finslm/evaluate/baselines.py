"""What a model must beat to be worth running: linear classifiers on word counts, and on a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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


def frozen_encoder(folder: Path, train: Sequence[str], labels: Labels, test: Sequence[str]) -> Labels:
    """Predict with a logistic regression on the mean of an encoder's hidden states, of length 1; nothing is tuned.

    Args:
        folder: model folder of the encoder; of a text it reads the first 256 tokens.
        train: [N] texts.
        labels: [N] label ids.
        test: [M] texts.

    Returns:
        [M] label ids.
    """
    import torch
    from sklearn.linear_model import LogisticRegression
    from torch.nn import functional

    from finslm.engine import bases

    network, tokenizer = bases.backbone(folder), bases.tokenizer(folder)
    network.train(mode=False)

    def features(texts: Sequence[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.zeros((len(texts), int(network.config.hidden_size)), np.float32)
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            batch = tokenizer(
                [texts[i] for i in chosen], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = network(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            out[chosen] = functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).numpy()
        return out

    fitted = LogisticRegression(C=20, max_iter=1000).fit(features(train), labels)
    return np.asarray(fitted.predict(features(test)), dtype=np.int64)
