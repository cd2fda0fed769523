//! Who asks, as the gateway's authorizer found out. Nothing in a request itself says who made it.

use std::collections::BTreeSet;

use orchestrator_engine::api::{Caller, Role};
use serde_json::{Map, Value};

use crate::gateway::{Authorizer, Jwt};

/// Who sees all runs, separated by commas: with IAM, ARNs of roles or users; with tokens, groups.
pub const OPERATORS: &str = "ORCHESTRATOR_OPERATORS";
/// The claim of a token that names the client; `sub` without it.
pub const CLIENT_CLAIM: &str = "ORCHESTRATOR_CLIENT_CLAIM";
/// The claim of a token that lists groups; `groups` without it.
pub const GROUPS_CLAIM: &str = "ORCHESTRATOR_GROUPS_CLAIM";

/// Finds out who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identities {
    operators: BTreeSet<String>,
    client_claim: String,
    groups_claim: String,
}

impl Identities {
    /// Reads the environment of this process.
    pub fn from_env() -> Identities {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is where the functions of the API read it"
        )]
        Identities::from(|name| std::env::var(name).ok())
    }

    /// Reads variables from `get`.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Identities {
        let read = |name: &str| get(name).filter(|value| !value.is_empty());
        let operators = read(OPERATORS).unwrap_or_default();
        let operators = operators
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Identities {
            operators: operators.map(str::to_owned).collect(),
            client_claim: read(CLIENT_CLAIM).unwrap_or_else(|| "sub".to_owned()),
            groups_claim: read(GROUPS_CLAIM).unwrap_or_else(|| "groups".to_owned()),
        }
    }

    /// Who asks; `None` on routes without an authorizer.
    pub fn caller(&self, authorizer: Option<&Authorizer>) -> Option<Caller> {
        let authorizer = authorizer?;
        let token = authorizer.jwt.as_ref().and_then(|token| self.of_token(token));
        let signer = authorizer.iam.as_ref().and_then(|iam| iam.user_arn.as_deref());
        token.or_else(|| signer.map(|arn| self.of_principal(arn)))
    }

    fn of_token(&self, token: &Jwt) -> Option<Caller> {
        let client_id = match token.claims.get(&self.client_claim)? {
            Value::String(name) if !name.is_empty() => name.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let groups = groups(&token.claims, &self.groups_claim);
        let is_operator = groups.iter().any(|group| self.operators.contains(group));
        Some(caller(client_id, is_operator))
    }

    fn of_principal(&self, arn: &str) -> Caller {
        let principal = principal(arn);
        let is_operator = self.operators.contains(&principal) || self.operators.contains(arn);
        caller(principal, is_operator)
    }
}

fn caller(client_id: String, is_operator: bool) -> Caller {
    let role = match is_operator {
        true => Role::Operator,
        false => Role::Client,
    };
    Caller { client_id, role }
}

/// Groups of a token: a list, or a text as the gateway writes lists, `[a b]`, or as some issuers do, `a,b`.
fn groups(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    match claims.get(name) {
        Some(Value::Array(groups)) => groups
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(text)) => {
            let text = text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'))
                .unwrap_or(text);
            let groups = text.split([' ', ',']).filter(|group| !group.is_empty());
            groups.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The role of a session: whoever assumes a role chooses the session's name, so that is no name to go by.
fn principal(arn: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    let [start, partition, "sts", region, account, resource] = parts[..] else {
        return arn.to_owned();
    };
    let role = resource
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.rsplit_once('/'));
    match role {
        Some((role, _session)) => format!("{start}:{partition}:iam:{region}:{account}:role/{role}"),
        None => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller_of(environment: &[(&str, &str)], authorizer: Value) -> Option<(String, Role)> {
        let get = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let authorizer: Authorizer = serde_json::from_value(authorizer).unwrap();
        let caller = Identities::from(get).caller(Some(&authorizer))?;
        Some((caller.client_id, caller.role))
    }

    #[test]
    fn tokens_name_clients_and_groups() {
        let operators = [(OPERATORS, "ops, admins")];
        let jwt = |claims: Value| json!({"jwt": {"claims": claims, "scopes": null}});
        let table = [
            (json!({"sub": "ann"}), Some(("ann", Role::Client))),
            (
                json!({"sub": "ann", "groups": "[dev ops]"}),
                Some(("ann", Role::Operator)),
            ),
            (
                json!({"sub": "ann", "groups": ["admins"]}),
                Some(("ann", Role::Operator)),
            ),
            (
                json!({"sub": "ann", "groups": "operators"}),
                Some(("ann", Role::Client)),
            ),
            (json!({"sub": 7, "exp": 1_700_000_000}), Some(("7", Role::Client))),
            (json!({"client_id": "ann"}), None),
        ];
        for (claims, expected) in table {
            let expected = expected.map(|(client, role)| (client.to_owned(), role));
            assert_eq!(caller_of(&operators, jwt(claims.clone())), expected, "{claims}");
        }
        let by_mail = [(CLIENT_CLAIM, "email"), (GROUPS_CLAIM, "cognito:groups")];
        let claims = json!({"sub": "1", "email": "ann@example.com", "cognito:groups": "[ops]"});
        assert_eq!(
            caller_of(&by_mail, jwt(claims)),
            Some(("ann@example.com".to_owned(), Role::Client))
        );
    }

    #[test]
    fn signers_are_their_roles_whatever_they_call_their_session() {
        let role = "arn:aws:iam::123456789012:role/ops";
        let session = |name: &str| json!({"iam": {"userArn": format!("arn:aws:sts::123456789012:assumed-role/{name}"), "cognitoIdentity": null}});
        let operators = [(OPERATORS, role)];
        assert_eq!(
            caller_of(&operators, session("ops/ann")),
            Some((role.to_owned(), Role::Operator))
        );
        assert_eq!(
            caller_of(&operators, session("ops2/ops")),
            Some(("arn:aws:iam::123456789012:role/ops2".to_owned(), Role::Client))
        );
        let user = "arn:aws:iam::123456789012:user/eve";
        assert_eq!(
            caller_of(&operators, json!({"iam": {"userArn": user}})),
            Some((user.to_owned(), Role::Client))
        );
        assert_eq!(caller_of(&operators, json!({})), None);
    }
}
