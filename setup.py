"""What pyproject.toml can't say: notebooks, sprites and README go into the wheel: cimg/_course."""

import os
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

COURSE = (
    "*.md",
    "LICENSE",
    "notebooks/**/*.ipynb",
    "notebooks/*.png",
    "notebooks/source/*",
    "sprites/*",
    "docs/*.md",
    "docs/*.png",
    "docs/guide/*.md",
    "docs/template.*",
)


class BuildWithCourse(build_py):
    """An installation that can be edited finds them where they are; any other gets them copied."""

    def course(self) -> dict[str, str]:
        """Each file of the course, and where it goes."""
        found = [path for pattern in COURSE for path in sorted(Path().glob(pattern))]
        found = [path for path in found if not any(part.startswith(".") for part in path.parts)]
        place = Path(self.build_lib, "cimg", "_course")
        return {str(path): str(place / path) for path in found if path.is_file()}

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self.course().items():
                self.mkpath(os.path.dirname(target))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        more = [] if self.editable_mode else list(self.course().values())
        return [*super().get_outputs(include_bytecode), *more]


setup(cmdclass={"build_py": BuildWithCourse})
