"""The shape of answers, for the schema; the values come from ``reports.exports.as_json``."""

from rest_framework import serializers


class ColumnOutput(serializers.Serializer):
    name = serializers.CharField(help_text="The key in rows and total.")
    label = serializers.CharField()  # type: ignore[assignment]
    unit = serializers.CharField(help_text="tasks, runs, seconds, percent, ratio, date, time, text or flag.")


class FigureOutput(ColumnOutput):
    value = serializers.FloatField(allow_null=True)


class ReportHeadOutput(serializers.Serializer):
    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    columns = ColumnOutput(many=True)


class ReportListOutput(serializers.Serializer):
    results = ReportHeadOutput(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ReportOutput(ReportHeadOutput):
    project = serializers.CharField(allow_null=True, help_text="The key asked for; null: all projects of the caller.")
    to = serializers.DateTimeField(help_text="End of the period, not included.")
    bucket = serializers.CharField()
    tz = serializers.CharField(help_text="The time zone whose midnights cut the buckets.")
    generated_at = serializers.DateTimeField()
    rows = serializers.ListField(child=serializers.DictField(), help_text="A value per column, by its name.")
    total = serializers.DictField(help_text="The same over all rows; percentiles over all tasks, not over the rows.")
    figures = FigureOutput(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        # ``from`` is a word of Python, so the class body cannot name it.
        return {**super().get_fields(), "from": serializers.DateTimeField(help_text="Start of the period.")}
