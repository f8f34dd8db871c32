"""How accounts and addresses look on the wire. Shapes only; the services decide."""

from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from rest_framework import serializers

from shop.accounts.models import User
from shop.api.fields import StrictBooleanField, StrictCharField


class UserSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    nickname = serializers.CharField()


class MeSerializer(UserSerializer):
    phone = serializers.CharField(
        source="phone_shown", allow_null=True, help_text="+86138****0000; null while none is known."
    )


class SessionSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    user = UserSerializer()


class TokensSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class UsernameField(StrictCharField):
    """A user name in the one form (NFKC) in which names are stored and compared."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class LoginRequestSerializer(serializers.Serializer[Any]):
    username = UsernameField()
    password = StrictCharField(max_length=128, trim_whitespace=False)


class RegisterRequestSerializer(LoginRequestSerializer):
    username = UsernameField(validators=[UnicodeUsernameValidator()])


class RefreshRequestSerializer(serializers.Serializer[Any]):
    refresh = StrictCharField()


class AddressRequestSerializer(serializers.Serializer[Any]):
    name = StrictCharField(max_length=50)
    phone = StrictCharField(
        max_length=30, validators=[RegexValidator(r"^[0-9+][0-9 ()-]{2,28}[0-9]\Z")]
    )
    region = StrictCharField(max_length=100)
    detail = StrictCharField(max_length=200)
    is_default = StrictBooleanField(default=False)


class AddressSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    phone = serializers.CharField()
    region = serializers.CharField()
    detail = serializers.CharField()
    is_default = serializers.BooleanField()
