"""How codes of WeChat look on the wire."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from shop.api.fields import StrictCharField


class PhoneSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(source="phone_shown", help_text="+86138****0000")


class CodeRequestSerializer(serializers.Serializer[Any]):
    code = StrictCharField(max_length=256, validators=[RegexValidator(r"^[!-~]+\Z")])
    appid = StrictCharField(
        max_length=64,
        default="",
        allow_blank=True,
        help_text="The mini-program that the code is of, where the shop has several.",
    )
