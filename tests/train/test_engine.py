import pytest
import torch

from hundredfold.errors import SettingsError
from hundredfold.train import engine as engines
from hundredfold.train.engine import Engine, choose_engine, multiplies_bfloat16


@pytest.mark.parametrize(
    "flags, precision", [({"avx512_bf16"}, "bfloat16"), ({"amx_bf16"}, "bfloat16"), ({"avx2"}, "float32")]
)
def test_precision_follows_the_processor(monkeypatch, flags, precision):
    monkeypatch.setattr(engines, "_cpu_flags", lambda: flags)
    assert choose_engine(accelerator="cpu").precision == precision
    assert multiplies_bfloat16(torch.device("cpu")) == (precision == "bfloat16")
    assert choose_engine(accelerator="cpu", precision="float32").precision == "float32"


def test_unknown_names_and_absent_devices_are_told_together(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="'cuda' is not available") as problem:
        choose_engine(accelerator="cuda", precision="half")
    assert len(problem.value.problems) == 2
    with pytest.raises(SettingsError, match="accelerator must be one of"):
        choose_engine(accelerator="tpu")


def test_weights_stay_in_float32_and_products_do_not():
    for precision, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        engine = Engine(device=torch.device("cpu"), precision=precision)
        layer = engine.place(torch.nn.Conv2d(2, 3, 3))
        assert layer.weight.dtype == torch.float32
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)
        with engine.autocast():
            assert layer(torch.zeros(1, 2, 4, 4)).dtype == expected
        assert engine.wrap(layer) is layer
