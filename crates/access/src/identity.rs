//! Names of those who act, their roles and how far they reach. Names are parsed once, here; whether they exist the roster knows.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use shouwen_proto::access::v1::Role;

/// A text that is not the resource name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{collection}/` and 1-40 of `a-z 0-9 -`")]
pub struct InvalidName {
    /// What should have been named, e.g. `employees`.
    pub collection: &'static str,
}

macro_rules! resource_name {
    ($(#[$docs:meta])* $name:ident, $collection:literal) => {
        $(#[$docs])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the full name; the id has 1-40 of `a-z 0-9 -`.
            pub fn parse(name: &str) -> Result<Self, InvalidName> {
                name.strip_prefix(concat!($collection, "/"))
                    .filter(|id| is_id(id))
                    .map(|_| Self(name.into()))
                    .ok_or(InvalidName { collection: $collection })
            }

            /// The full name.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The part behind the collection.
            pub fn id(&self) -> &str {
                &self.0[concat!($collection, "/").len()..]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::parse(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
    };
}

resource_name!(
    /// `employees/{employee}` (员工).
    EmployeeName, "employees"
);
resource_name!(
    /// `serviceAccounts/{account}`: a connected system.
    ServiceAccountName, "serviceAccounts"
);
resource_name!(
    /// `branches/{branch}` (营业部).
    BranchName, "branches"
);

fn is_id(id: &str) -> bool {
    (1..=40).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Who authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person, by their own token.
    Employee(EmployeeName),
    /// A connected system, by its token.
    ServiceAccount(ServiceAccountName),
    /// A service of the suite, by its key; never by a token. Holds the bare name, e.g. `calls`.
    Service(String),
}

impl Principal {
    /// Parses the subject of a token: an employee or a service account, nothing else.
    pub fn of_subject(subject: &str) -> Option<Self> {
        EmployeeName::parse(subject)
            .map(Self::Employee)
            .or_else(|_| ServiceAccountName::parse(subject).map(Self::ServiceAccount))
            .ok()
    }

    /// Parses the principal of a call context, `services/{service}` included.
    pub fn parse(name: &str) -> Option<Self> {
        Self::of_subject(name).or_else(|| {
            name.strip_prefix("services/").filter(|id| is_id(id)).map(|id| Self::Service(id.to_owned()))
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Employee(name) => name.fmt(f),
            Self::ServiceAccount(name) => name.fmt(f),
            Self::Service(name) => write!(f, "services/{name}"),
        }
    }
}

/// A set of roles (角色).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Roles(u32);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);

    /// With one more role; `ROLE_UNSPECIFIED` is none.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        match role {
            Role::Unspecified => self,
            role => Self(self.0 | 1 << role as u32),
        }
    }

    /// Whether `role` is among them.
    pub fn contains(self, role: Role) -> bool {
        self.intersects(Self::NONE.with(role))
    }

    /// Whether the two sets share a role.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        (1..32)
            .filter(move |number| self.0 & 1 << number != 0)
            .filter_map(|number| Role::try_from(number).ok())
    }

    /// The numbers, as a call context carries them.
    pub fn to_numbers(self) -> Vec<i32> {
        self.iter().map(i32::from).collect()
    }

    /// From the numbers of a message; `None` where one is not a role.
    pub fn of_numbers(numbers: &[i32]) -> Option<Self> {
        numbers.iter().try_fold(Self::NONE, |roles, number| match Role::try_from(*number) {
            Ok(Role::Unspecified) | Err(_) => None,
            Ok(role) => Some(roles.with(role)),
        })
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

/// `STAFF, LEAD`.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, role) in self.iter().enumerate() {
            let name = role.as_str_name();
            write!(
                f,
                "{}{}",
                if index == 0 { "" } else { ", " },
                name.strip_prefix("ROLE_").unwrap_or(name)
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roles({self})")
    }
}

/// The branches that somebody may see and work for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every branch: headquarters, administrators, auditors, services of the suite.
    All,
    /// These.
    Branches(BTreeSet<BranchName>),
}

impl Reach {
    /// Whether `branch` (full name) lies within.
    pub fn covers(&self, branch: &str) -> bool {
        match self {
            Self::All => true,
            Self::Branches(branches) => branches.iter().any(|known| known.as_str() == branch),
        }
    }

    /// The full names of the branches within; `None` where it is every one.
    pub fn branches(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Branches(branches) => Some(branches.iter().map(ToString::to_string).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_to_the_letter() {
        assert_eq!(EmployeeName::parse("employees/zhang-3").unwrap().id(), "zhang-3");
        for bad in ["employees/", "employees/Zhang", "employees/a/b", "employee/a", "zhang", "employees/a b"]
        {
            assert!(EmployeeName::parse(bad).is_err(), "{bad}");
        }
        assert!(BranchName::parse(&format!("branches/{}", "a".repeat(41))).is_err());
    }

    #[test]
    fn a_token_never_speaks_for_a_service_of_the_suite() {
        assert_eq!(Principal::of_subject("services/calls"), None);
        assert_eq!(Principal::parse("services/calls"), Some(Principal::Service("calls".into())));
        for name in ["employees/a", "serviceAccounts/crm", "services/calls"] {
            assert_eq!(Principal::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn roles_are_a_set() {
        let roles: Roles = [Role::Lead, Role::Staff, Role::Lead, Role::Unspecified].into_iter().collect();
        assert_eq!(roles.to_string(), "STAFF, LEAD");
        assert_eq!(roles.to_numbers(), [1, 2]);
        assert_eq!(Roles::of_numbers(&[2, 1]), Some(roles));
        assert!(
            roles.contains(Role::Staff) && !roles.contains(Role::Hq) && !roles.contains(Role::Unspecified)
        );
        assert!(Roles::of_numbers(&[0]).is_none() && Roles::of_numbers(&[77]).is_none());
    }

    #[test]
    fn reach_covers_its_branches_only() {
        let reach = Reach::Branches([BranchName::parse("branches/b1").unwrap()].into());
        assert!(
            reach.covers("branches/b1") && !reach.covers("branches/b2") && Reach::All.covers("branches/b2")
        );
    }
}
