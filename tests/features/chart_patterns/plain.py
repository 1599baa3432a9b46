"""Lo, Mamaysky and Wang's detector written down again, slowly and from the paper: formulas, then definitions."""

import numpy as np

WITHIN, RECTANGLE = 0.015, 0.0075


def kernel(x):
    return np.exp(-(x**2) / 2.0)


def left_out_error(close, h):
    """Of leave-one-out cross-validation: each close by the weighted mean of all others."""
    t = np.arange(len(close))
    weight = kernel((t[:, None] - t) / h) * (t[:, None] != t)
    return ((close - weight @ close / weight.sum(axis=1)) ** 2).sum()


def derivative(close, h):
    """m'(t) of m(t) = sum(K p) / sum(K), by the quotient rule, of prices seen from that at t: the same slope."""
    t = np.arange(len(close))
    p, apart = close - close[:, None], t[:, None] - t
    k = kernel(apart / h)
    dk = -apart / h**2 * k
    return ((dk * p).sum(1) * k.sum(1) - (k * p).sum(1) * dk.sum(1)) / k.sum(1) ** 2


def best(close, choices):
    return min(choices, key=lambda h: left_out_error(close, h))


def extrema(close, share, choices):
    """(position, is a top) in a window: signs of the slope, then the raw extreme of t - 1 .. t + 1."""
    sign = np.sign(derivative(close, share * best(close, choices)))
    found = []
    for t in range(len(close) - 1):
        if sign[t] == 0:
            if t == 0 or sign[t - 1] == 0:
                continue
            later = [s for s in sign[t + 1 :] if s != 0]
            before, after = sign[t - 1], later[0] if later else 0
        else:
            before, after = sign[t], sign[t + 1]
        if before * after < 0:
            near = [s for s in (t - 1, t, t + 1) if 0 <= s < len(close)]
            pick = max if before > 0 else min
            found.append((pick(near, key=lambda s: close[s]), before > 0))
    return in_order(found, close)


def in_order(found, close):
    """Without those that are not after the one before; of two neighbours of a kind the more extreme."""
    kept = []
    for at, top in found:
        if kept and kept[-1][1] == top:
            if (close[at] > close[kept[-1][0]]) if top else (close[at] < close[kept[-1][0]]):
                kept[-1] = at, top
        elif not kept or at > kept[-1][0]:
            kept.append((at, top))
    return kept


def within(share, *prices):
    mean = np.mean(prices)
    return all(abs(p - mean) <= share * mean for p in prices)


def names_of(e, starts_with_max):
    """Definitions 1 to 4 for E1 .. E5, one by one."""
    e1, e2, e3, e4, e5 = e
    return {
        "head_and_shoulders": starts_with_max and e3 > e1 and e3 > e5 and within(WITHIN, e1, e5)
        and within(WITHIN, e2, e4),
        "inverse_head_and_shoulders": not starts_with_max and e3 < e1 and e3 < e5 and within(WITHIN, e1, e5)
        and within(WITHIN, e2, e4),
        "broadening_top": starts_with_max and e1 < e3 < e5 and e2 > e4,
        "broadening_bottom": not starts_with_max and e1 > e3 > e5 and e2 < e4,
        "triangle_top": starts_with_max and e1 > e3 > e5 and e2 < e4,
        "triangle_bottom": not starts_with_max and e1 < e3 < e5 and e2 > e4,
        "rectangle_top": starts_with_max and within(RECTANGLE, e1, e3, e5) and within(RECTANGLE, e2, e4)
        and min(e1, e3, e5) > max(e2, e4),
        "rectangle_bottom": not starts_with_max and within(RECTANGLE, e1, e3, e5) and within(RECTANGLE, e2, e4)
        and max(e1, e3, e5) < min(e2, e4),
    }  # fmt: skip


def is_double(found, close):
    """Definition 5: any E1 of the last one's kind, from which on the last one is the extreme, more than 22 apart."""
    (last, top) = found[-1]
    for k, (at, kind) in enumerate(found[:-1]):
        if kind != top or last - at <= 22 or not within(WITHIN, close[at], close[last]):
            continue
        later = [close[s] for s, _ in found[k + 1 :]]
        if close[last] == (max(later) if top else min(later)):
            return True
    return False


def patterns(close, length=35, delay=3, share=0.3):
    """All (pattern, end, known_at) of a history."""
    size = length + delay
    choices = np.geomspace(0.5, size / 2, 16)
    told = set()
    for now in range(size - 1, len(close)):
        window = close[now + 1 - size : now + 1]
        found = [(at, top) for at, top in extrema(window, share, choices) if at < length]
        if not found or found[-1][0] != length - 1:
            continue
        end = now - delay
        if len(found) >= 5:
            e = [window[at] for at, _ in found[-5:]]
            told |= {(name, end, now) for name, holds in names_of(e, found[-5][1]).items() if holds}
        if is_double(found, window):
            told.add(("double_top" if found[-1][1] else "double_bottom", end, now))
    return told
