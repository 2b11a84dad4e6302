//! VIP and core clients (L12): marked by assets and activity, with service limits and seats of their own.

use shouwen_policy::ClientsPolicy;

use super::codec::fen;

/// The marks of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub vip: bool,
    pub core: bool,
}

/// The marks that these figures earn: assets in fen, turnover in hundredths. Bounds are inclusive.
pub fn marks(assets_fen: i64, turnover_percent: i64, policy: &ClientsPolicy) -> Marks {
    Marks {
        vip: assets_fen >= fen(policy.vip_assets),
        core: assets_fen >= fen(policy.core_assets)
            && turnover_percent >= i64::from(policy.core_turnover_percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l12_a_vip_has_the_assets_and_a_core_client_the_activity_too() {
        let policy = ClientsPolicy::default();
        let of = |yuan_fen, turnover| {
            let Marks { vip, core } = marks(yuan_fen, turnover, &policy);
            (vip, core)
        };
        assert_eq!(of(100_000_000, 0), (true, false));
        assert_eq!(of(99_999_999, 0), (false, false));
        assert_eq!(of(50_000_000, 300), (false, true));
        assert_eq!(of(50_000_000, 299), (false, false));
        assert_eq!(of(49_999_999, 300), (false, false));
        assert_eq!(of(100_000_000, 300), (true, true));
    }
}
