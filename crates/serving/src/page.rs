//! How many a page of a list holds, and where it ends; what its token means is said in [`shouwen_access::page_token`].

use shouwen_access::Failure;

/// How many are asked for, within bounds: 0 is the default, too many are the most. `FIELD_INVALID` below 0.
pub fn size(asked: i32, default: i64, most: i64) -> Result<i64, Failure> {
    match asked {
        0 => Ok(default),
        1.. => Ok(i64::from(asked).min(most)),
        _ => Err(Failure::field_invalid(
            "page_size",
            "give 0 for the default, or how many at most",
            "请填写 0（默认）或每页最多条数",
        )),
    }
}

/// One page of rows of which one more was read than a page holds, and whether more follow.
pub fn cut<T>(mut rows: Vec<T>, size: i64) -> (Vec<T>, bool) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    (rows, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_is_asked_for_within_bounds() {
        assert_eq!([0, 7, 201].map(|asked| size(asked, 50, 200).unwrap()), [50, 7, 200]);
        assert_eq!(size(-1, 50, 200).unwrap_err().reason(), "FIELD_INVALID");
    }

    #[test]
    fn the_row_too_many_is_left_out_and_tells_that_more_follow() {
        assert_eq!(cut(vec![1, 2, 3], 2), (vec![1, 2], true));
        assert_eq!(cut(vec![1, 2], 2), (vec![1, 2], false));
    }
}
