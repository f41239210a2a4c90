"""network.Coap for a chip, as far as it needs no operating system."""
import subprocess

from support.process import ROOT


def test_it_compiles_for_a_cortex_m4_to_less_than_9_kilobytes(tmp_path):
    done = subprocess.run([ROOT / "bindings/micropython/compile-chip", tmp_path / "objects"], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stderr
    text, data, bss = map(int, done.stdout.split()[:3])
    assert 4096 < text < 9 * 1024 and data + bss < 256
