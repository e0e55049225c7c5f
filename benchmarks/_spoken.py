"""Noise for recordings, and their spectrograms."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.signal import get_window

RATE = 8000  # samples per second
WINDOW, HOP, SIZE = 224, 70, 112
# 112 frames of this window need so many samples.
N_SAMPLES = WINDOW + (SIZE - 1) * HOP
DECIBELS = 80.0  # below the peak of a clip everything is 0
NOISES = ("white", "pink", "babble")
N_VOICES = 6
# Rows at once: the windows of a clip take three times its memory.
CHUNK = 256


def log_spectrogram(waveform: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Log power over one second."""
    window = get_window("hann", WINDOW)
    out = np.empty((len(waveform), *shape), dtype=np.float32)
    for start in range(0, len(waveform), CHUNK):
        part = np.asarray(waveform[start : start + CHUNK, :N_SAMPLES], dtype=np.float64)
        frames = np.lib.stride_tricks.sliding_window_view(part, WINDOW, axis=1)
        spectrum = fft.rfft(frames[:, ::HOP] * window, axis=2)[:, :, :SIZE]
        power = (spectrum.real**2 + spectrum.imag**2).transpose(0, 2, 1)
        peak = power.max(axis=(1, 2), keepdims=True)
        floor = 10 ** (-DECIBELS / 10)
        ratio = np.divide(power, peak, out=np.zeros_like(power), where=peak > 0)
        level = 1 + 10 * np.log10(np.maximum(ratio, floor)) / DECIBELS
        step = SIZE // shape[0]
        level = level.reshape(len(part), shape[0], step, shape[1], step)
        out[start : start + CHUNK] = level.mean(axis=(2, 4))
    return out


def add_noise(
    waveform: np.ndarray,
    length: np.ndarray,
    rows: np.ndarray,
    *,
    snr_db: float,
    kind: str,
    voices: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Clips, each with noise of its own."""
    n_samples = waveform.shape[1]
    out = np.empty((len(rows), n_samples))
    for i, row in enumerate(rows):
        clip = waveform[row].astype(np.float64)
        noise = _draw(kind, n_samples, waveform, voices[voices != row], rng)
        used = min(max(int(length[row]), 1), n_samples)
        wanted = np.mean(clip[:used] ** 2) / 10 ** (snr_db / 10)
        power = np.mean(noise**2)
        out[i] = clip + noise * (np.sqrt(wanted / power) if power > 0 else 0.0)
    return out


def _draw(
    kind: str,
    n_samples: int,
    waveform: np.ndarray,
    voices: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    if kind == "babble":
        chosen = voices[rng.randint(len(voices), size=N_VOICES)]
        shifts = rng.randint(n_samples, size=N_VOICES)
        parts = [np.roll(waveform[v], s) for v, s in zip(chosen, shifts)]
        return np.asarray(np.sum(parts, axis=0, dtype=np.float64))
    noise = rng.standard_normal(n_samples)
    if kind == "pink":
        # Power falls with the frequency; the lowest one is no frequency at all.
        spectrum = fft.rfft(noise)
        spectrum[0] = 0.0
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        return np.asarray(fft.irfft(spectrum, n=n_samples))
    return noise
