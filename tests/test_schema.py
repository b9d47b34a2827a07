"""Fields, scales, default rules, registered tables."""

import pytest

from agent.codec import private_number
from agent.model.schema import (
    Field,
    SchemaError,
    field_for,
    quantity_kinds,
    registered,
    registered_schemas,
    scale_of,
)


@pytest.mark.parametrize(
    ("step", "scale"), [(0.05, (-2, 5)), (1, (0, 1)), (60, (1, 6)), (100, (2, 1)), (2.5, (-1, 25))]
)
def test_a_step_becomes_exponent_and_multiplier(step: float, scale: tuple[int, int]) -> None:
    assert scale_of(step) == scale
    assert field_for("x", "count", step).step == step


@pytest.mark.parametrize("step", [0, -1, 1 / 3, 1e-12])
def test_a_step_that_cannot_be_written_is_refused(step: float) -> None:
    with pytest.raises(SchemaError, match="short decimal"):
        scale_of(step)


def test_values_are_correctly_rounded_and_raw_is_the_nearest_step() -> None:
    field = field_for("x", "temperature", 0.05)
    assert [field.value(raw) for raw in (-1, 3, 429)] == [-0.05, 0.15, 21.45]
    assert [field.raw(value) for value in (21.46, 21.48, -0.06)] == [429, 430, -1]
    minutes = field_for("up", "duration", 60)
    assert (minutes.value(7), minutes.raw(415.0)) == (420.0, 7)


def test_defaults_come_from_the_kind() -> None:
    temperature = field_for("t", "temperature", 0.01)
    assert (temperature.nominal, temperature.first_order, temperature.next_order) == (2000, 8, 2)
    assert field_for("t", "temperature", 10).next_order == 0
    with pytest.raises(SchemaError, match="no kind 'warmth'"):
        field_for("t", "warmth", 1)
    with pytest.raises(SchemaError, match="orders are 0 to 31"):
        field_for("t", "temperature", 1, orders=(32, 0))


@pytest.mark.parametrize("unit", ["Cel", "K"])
@pytest.mark.parametrize("step", [(-2, 1), (-2, 5)])
def test_a_field_comes_back_from_its_slice(unit: str, step: tuple[int, int]) -> None:
    field = Field(103, *step, 2000, 8, 2, "temp", unit)
    assert Field.parse(field.wire()) == field
    assert len(field.wire()) == (6 if unit == "Cel" else 7)


@pytest.mark.parametrize(
    "items",
    [
        [1, 0, 0, 0],
        [1, 0, 0, 0, 0, "a", "b", "c"],
        [1, [0, 1], 0, 0, 0],
        [1, [0, 20], 0, 0, 0],
        [1, [0, 2, 3], 0, 0, 0],
        [1, 10, 0, 0, 0],
        [1, 0, 0, 32, 0],
        [1, 0, 0, 0, 0, 5],
        [-1, 0, 0, 0, 0],
        [True, 0, 0, 0, 0],
    ],
)
def test_items_that_are_no_field_are_refused(items: list[object]) -> None:
    with pytest.raises(SchemaError):
        Field.parse(items)


def test_a_changed_field_changes_the_private_number() -> None:
    fields = registered(1).fields
    numbers = {private_number(fields), private_number(fields[1:]), private_number(fields[::-1])}
    assert len(numbers) == 3
    assert all(256 <= number < 65_536 for number in numbers)


def test_registered_tables_are_health_and_school() -> None:
    assert sorted(registered_schemas()) == [0, 1]
    names = [field.name for field in registered(1).fields]
    assert names == ["temp", "hum", "pres", "co2", "pm25", "pm10", "lux", "noise", "batt"]
    with pytest.raises(SchemaError, match="no registered schema 7"):
        registered(7)


def test_every_kind_has_a_number_of_its_own() -> None:
    """IPSO/OMA objects less 3200 (LwM2M registry): 3303 temperature ... 3334 gyrometer."""
    kinds = quantity_kinds()
    assert len({kind.number for kind in kinds.values()}) == len(kinds)
    published = {
        "illuminance": 3301, "temperature": 3303, "humidity": 3304, "acceleration": 3313,
        "pressure": 3315, "voltage": 3316, "current": 3317, "frequency": 3318,
        "percentage": 3320, "loudness": 3324, "co2": 3325, "distance": 3330,
        "direction": 3332, "rotation_rate": 3334,
    }  # fmt: skip
    low = {name: kind.number + 3200 for name, kind in kinds.items() if kind.number < 256}
    assert low == published
