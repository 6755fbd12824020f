"""Amazon Cognito user pools: who the workers of private teams are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code
from groundswell.aws.hooks.patience import PatientHook

PAGE = 60  # the API's maximum


class CognitoHook(PatientHook):
    """
    Interact with Amazon Cognito user pools.

    Provide thin wrapper around
    :external+boto3:py:class:`boto3.client("cognito-idp") <CognitoIdentityProvider.Client>`.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "cognito-idp"
        super().__init__(*args, **kwargs)

    def users(self, pool_id: str) -> Iterator[dict[str, Any]]:
        """
        Yield the users of a pool with all their attributes, page by page as they are wanted.

        No filter, and no choice of attributes: Cognito refuses a choice where some user lacks one of them.

        .. seealso::
            - :external+boto3:py:meth:`CognitoIdentityProvider.Client.list_users`

        :param pool_id: the id of the user pool
        :raises ClientError: there is no such pool, among others; see :meth:`is_absent`.
        """
        token: str | None = None
        while True:
            request = {"PaginationToken": token} if token else {}
            page = self.conn.list_users(UserPoolId=pool_id, Limit=PAGE, **request)
            yield from page["Users"]
            if page.get("PaginationToken") in {None, token}:
                return
            token = page["PaginationToken"]

    @staticmethod
    def is_absent(error: ClientError) -> bool:
        """Return whether an error says that there is no such pool."""
        return error_code(error) == "ResourceNotFoundException"
