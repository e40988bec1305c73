"""Reads the text in a picture: finds its lines, turns them upright, recognizes their letters (PP-OCRv6 in ONNX)."""

import tempfile

import numpy as np
from cog import BaseModel, BaseRunner, Input, Path
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
from rapidocr import RapidOCR


class Line(BaseModel):
    text: str
    confidence: float
    box: list[list[float]]
    """Four corners [x, y] in pixels, clockwise from the text's upper left."""


class Output(BaseModel):
    text: str
    lines: list[Line]
    marked: Path | None = None


class Runner(BaseRunner):
    def setup(self) -> None:
        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 2}
        self.reader = RapidOCR(params={"Global.log_level": "error", **threads})
        self.reader(np.full((64, 256, 3), 255, np.uint8))  # the first reading is slower

    def run(
        self,
        image: Path = Input(description="A photo, scan or screenshot", accept="image/*"),
        min_confidence: float = Input(description="Leave out lines read with less certainty", default=0.5, ge=0, le=1),
        mark_lines: bool = Input(description="Also give the picture with its lines framed", default=False),
    ) -> Output:
        try:
            picture = ImageOps.exif_transpose(Image.open(image)).convert("RGB")
        except UnidentifiedImageError as error:
            raise ValueError("this is not a picture that can be read (PNG, JPEG, WebP, GIF, BMP, TIFF)") from error
        found = self.reader(np.asarray(picture)[:, :, ::-1], text_score=min_confidence)  # it expects blue first
        lines = [
            Line(text=text, confidence=round(float(score), 4), box=np.asarray(box).round(1).tolist())
            for text, score, box in zip(
                found.txts or (), found.scores or (), [] if found.boxes is None else found.boxes, strict=True
            )
        ]
        print(f"{picture.width} x {picture.height} pixels, {len(lines)} lines")
        return Output(
            text="\n".join(line.text for line in lines),
            lines=lines,
            marked=marked(picture, lines) if mark_lines else None,
        )


def marked(picture: Image.Image, lines: list[Line]) -> Path:
    draw = ImageDraw.Draw(picture)
    for line in lines:
        draw.polygon([tuple(corner) for corner in line.box], outline=(220, 30, 90), width=max(2, picture.width // 400))
    out = Path(tempfile.mkdtemp()) / "marked.png"
    picture.save(out)
    return out
