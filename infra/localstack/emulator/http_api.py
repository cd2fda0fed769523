"""HTTP APIs that are reached without credentials."""

from ministack.services import apigateway


def install() -> None:
    """Finds an API by its id in any account: a request that is not signed, or signed with a token, names none."""
    apigateway.find_api_scope = _find_api


def _find_api(api_id: str):
    for (account, region, found), _ in apigateway._apis.all_items():
        if found == api_id:
            return account, region
    return None
