from mcpsite.datasets.models import Category, Day, Number, Prose, Row, Text


class HotelRate(Row):
    """Published rate of one night in a hotel, as the provider's weekly file states it."""

    day = Day(also=("date", "stay_date", "night"), help_text="the night")
    city = Category(help_text="for example Lisbon")
    hotel = Category(help_text="as the provider calls it")
    stars = Category(help_text="from 1 to 5")
    room_code = Text(help_text="the provider's code of the room")
    usd = Number("price of a night", also=("rate", "price"), unit="USD", least=0, most=1e5)
    occupancy_pct = Number("occupied rooms", also=("occupancy",), unit="%", least=0, most=100)
    note = Prose(help_text="what the provider remarks")

    class Meta(Row.Meta):
        ordering = ["-day", "city", "hotel"]
        verbose_name = "hotel rate"
        verbose_name_plural = "hotel rates"

    class Dataset:
        examples = (
            "Which city had the highest average rate in July 2026?",
            "How did the price of a night in Lisbon move over the summer?",
        )
