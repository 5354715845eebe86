#!/usr/bin/env python3
"""Fit the two polynomials of native/cpu/simd: minimax in relative error, by reweighted least squares (Lawson).

    python fit_polynomials.py        needs numpy and mpmath; prints coefficients, lowest power first, and the error

exp:  e^r = 1 + r + r^2 P(r)                 on |r| <= ln 2 / 2
phi:  Phi(-a) = e^(-a^2/2) t Q(t), t = 1/(1 + 0.3 a)   for a in [0, 14]; Phi is the normal distribution function
The factor 0.3 was the best of 0.25, 0.3, ... 0.45 at degree 7.
"""
import mpmath as mp
import numpy as np

mp.mp.dps = 40
POINTS, ROUNDS = 2000, 1200


def fit(f, weight, degree, low, high):
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    want = np.array([float(f(mp.mpf(x))) for x in nodes])
    scale = np.array([float(weight(mp.mpf(x))) for x in nodes])
    basis = np.polynomial.chebyshev.chebvander((nodes - (low + high) / 2) / ((high - low) / 2), degree)
    share, best = np.full(POINTS, 1 / POINTS), (np.inf, None)
    for _ in range(ROUNDS):
        s = np.sqrt(share) * scale
        c, *_ = np.linalg.lstsq(basis * s[:, None], want * s, rcond=None)
        error = np.abs((basis @ c - want) * scale)
        best = min(best, (error.max(), c), key=lambda b: b[0])
        share = share * (error + 1e-300)
        share /= share.sum()
    series = np.polynomial.chebyshev.Chebyshev(best[1], domain=[low, high])
    return best[0], series.convert(kind=np.polynomial.Polynomial).coef


def show(name, error, coefficients):
    print(name, f"relative error {error:.1e}:", ", ".join(repr(np.float32(c).item())[:14] + "f" for c in coefficients))


half = float(mp.log(2) / 2) * 1.0001
tail = lambda r: (mp.exp(r) - 1 - r) / r**2 if abs(r) > 1e-12 else mp.mpf("0.5")
show("exp", *fit(tail, lambda r: r**2 / mp.exp(r), 4, -half, half))

C = 0.3
scaled = lambda t: mp.exp(((1 / t - 1) / C) ** 2 / 2) * mp.erfc((1 / t - 1) / C / mp.sqrt(2)) / 2
show("phi", *fit(lambda t: scaled(t) / t, lambda t: t / scaled(t), 7, 1 / (1 + C * 14), 1.0))
