//! The hash of a ledger row: every column counts, and no byte can move from one column to the next.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use shouwen_engine::ledger::LedgerRow;

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000_000_000_i64).prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn row() -> impl Strategy<Value = LedgerRow> {
    let texts = prop::collection::vec("[a-c:/]{0,6}", 9);
    (any::<i64>(), any::<i64>(), texts, prop::collection::vec(any::<u8>(), 0..8), time()).prop_map(
        |(position, version, texts, payload, time)| {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().unwrap();
            LedgerRow {
                position,
                r#type: text(),
                aggregate: text(),
                version,
                payload,
                actor: text(),
                on_behalf: text(),
                capacity: text(),
                case_name: text(),
                branch: text(),
                request_id: text(),
                cause: text(),
                time,
                hash: Vec::new(),
            }
        },
    )
}

/// The columns that are text, in their order.
fn texts(row: &mut LedgerRow) -> [&mut String; 9] {
    [
        &mut row.r#type,
        &mut row.aggregate,
        &mut row.actor,
        &mut row.on_behalf,
        &mut row.capacity,
        &mut row.case_name,
        &mut row.branch,
        &mut row.request_id,
        &mut row.cause,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_rows_have_equal_hashes_and_different_rows_different_ones(
        one in row(), other in row(), previous in prop::collection::vec(any::<u8>(), 32)
    ) {
        prop_assert_eq!(one.chained(&previous), one.clone().chained(&previous));
        prop_assert_eq!(one == other, one.chained(&previous) == other.chained(&previous));
        prop_assert_eq!(one.chained(&previous).len(), 32);
    }

    #[test]
    fn a_change_of_any_column_changes_the_hash(
        row in row(), column in 0..13_usize, other in "[a-d]{1,4}", by in 1..1000_i64, previous in any::<[u8; 32]>()
    ) {
        let mut changed = row.clone();
        match column {
            9 => changed.position = changed.position.wrapping_add(by),
            10 => changed.version = changed.version.wrapping_add(by),
            11 => changed.payload.extend(other.bytes()),
            12 => changed.time += chrono::TimeDelta::microseconds(by),
            text => texts(&mut changed)[text].push_str(&other),
        }
        prop_assert_ne!(row.chained(&previous), changed.chained(&previous));
    }

    #[test]
    fn text_cannot_move_to_the_next_column(
        row in row(), column in 0..8_usize, moved in "[a-c]{1,4}", previous in any::<[u8; 32]>()
    ) {
        // `ab` + `c` and `a` + `bc` are the same bytes.
        let (mut left, mut right) = (row.clone(), row);
        texts(&mut left)[column].push_str(&moved);
        texts(&mut right)[column + 1].insert_str(0, &moved);
        prop_assert_ne!(left.chained(&previous), right.chained(&previous));
    }

    #[test]
    fn bytes_cannot_move_between_the_previous_hash_or_the_payload_and_their_neighbours(row in row()) {
        prop_assert_ne!(row.chained(&[0; 32]), row.chained(&[0; 33]));
        let (mut left, mut right) = (row.clone(), row);
        left.payload.push(b'a');
        right.actor.insert(0, 'a');
        prop_assert_ne!(left.chained(&[0; 32]), right.chained(&[0; 32]));
    }

    #[test]
    fn the_predecessor_counts(row in row(), one in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
        prop_assert_eq!(one == other, row.chained(&one) == row.chained(&other));
    }
}
