//! The true order of what happened to a case in all services: cause before effect, whatever the clocks of the services say; what did not cause each
//! other by time, then service, then position. Within a service the ledger's order is true.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

/// One event of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub service: String,
    pub position: i64,
    pub time: DateTime<Utc>,
    pub r#type: String,
    pub aggregate: String,
    /// The case that it names, or empty.
    pub case_name: String,
    pub actor: String,
    pub on_behalf: String,
    pub capacity: String,
    pub cause: String,
    /// False where it belongs to no case asked for and only tells what came before what.
    pub shown: bool,
}

/// The event at a position of a service's ledger.
pub type At<'a> = (&'a str, i64);

impl Line {
    pub fn at(&self) -> At<'_> {
        (&self.service, self.position)
    }

    /// The event of another service, or of this one, that caused it; a deadline is none.
    pub fn caused_by(&self) -> Option<At<'_>> {
        let (service, position) = self.cause.split_once(':')?;
        Some((service, position.parse().ok()?))
    }
}

/// The lines in their true order, those that are shown.
pub fn ordered(lines: Vec<Line>) -> Vec<Line> {
    let known: HashSet<(String, i64)> =
        lines.iter().map(|line| (line.service.clone(), line.position)).collect();
    // Another service can name a case only once it was opened.
    let openings: HashMap<String, (String, i64)> = lines
        .iter()
        .filter(|line| line.r#type == "case_opened")
        .map(|line| (line.aggregate.clone(), (line.service.clone(), line.position)))
        .collect();
    let mut total = lines.len();
    let mut services: BTreeMap<String, VecDeque<Line>> = BTreeMap::new();
    for line in lines {
        services.entry(line.service.clone()).or_default().push_back(line);
    }
    for queue in services.values_mut() {
        queue.make_contiguous().sort_by_key(|line| line.position);
    }
    let mut told: HashSet<(String, i64)> = HashSet::new();
    let ready = |line: &Line, told: &HashSet<(String, i64)>| {
        let cause = line.caused_by().map(|(service, position)| (service.to_owned(), position));
        let opening = openings.get(&line.case_name).filter(|opening| opening.0 != line.service);
        cause.iter().chain(opening).all(|before| !known.contains(before) || told.contains(before))
    };
    let mut order = Vec::with_capacity(total);
    while total > 0 {
        let heads = || services.values().filter_map(VecDeque::front);
        let first = |heads: &mut dyn Iterator<Item = &Line>| {
            heads.min_by_key(|line| (line.time, line.at())).map(|line| line.service.clone())
        };
        // Causes in a circle cannot be; should a ledger say so all the same, time decides.
        let next = first(&mut heads().filter(|line| ready(line, &told))).or_else(|| first(&mut heads()));
        let Some(line) = next.and_then(|service| services.get_mut(&service)).and_then(VecDeque::pop_front)
        else {
            break;
        };
        total -= 1;
        told.insert((line.service.clone(), line.position));
        if line.shown {
            order.push(line);
        }
    }
    order
}

/// What follows a line in an order; everything where none is given, and where it is not among them.
pub fn after(mut order: Vec<Line>, last: Option<At<'_>>) -> Vec<Line> {
    let read = last.and_then(|last| order.iter().position(|line| line.at() == last));
    order.split_off(read.map_or(0, |read| read + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(service: &str, position: i64, seconds: i64, cause: &str) -> Line {
        Line {
            service: service.to_owned(),
            position,
            time: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds),
            r#type: "x".to_owned(),
            aggregate: String::new(),
            case_name: String::new(),
            actor: String::new(),
            on_behalf: String::new(),
            capacity: String::new(),
            cause: cause.to_owned(),
            shown: true,
        }
    }

    fn order(lines: Vec<Line>) -> Vec<String> {
        ordered(lines).iter().map(|line| format!("{}:{}", line.service, line.position)).collect()
    }

    #[test]
    fn o3_what_did_not_cause_each_other_comes_by_time_then_service_then_position() {
        let lines = vec![
            line("calls", 1, 5, ""),
            line("ownership", 1, 5, ""),
            line("calls", 2, 5, ""),
            line("a", 9, 4, ""),
        ];
        assert_eq!(order(lines), ["a:9", "calls:1", "calls:2", "ownership:1"]);
    }

    #[test]
    fn o3_an_effect_follows_its_cause_though_the_clock_of_its_service_is_slow() {
        let lines = vec![
            line("callbacks", 3, 10, "calls:7"),
            line("calls", 7, 600, ""),
            line("ownership", 4, 20, "callbacks:3"),
            line("ownership", 5, 21, "deadline:offer"),
            line("complaints", 1, 30, ""),
        ];
        assert_eq!(order(lines), ["complaints:1", "calls:7", "callbacks:3", "ownership:4", "ownership:5"]);
    }

    #[test]
    fn o3_what_names_a_case_follows_its_opening() {
        let opened = Line {
            r#type: "case_opened".to_owned(),
            aggregate: "cases/1".to_owned(),
            ..line("ownership", 2, 50, "")
        };
        let named = Line { case_name: "cases/1".to_owned(), ..line("calls", 1, 10, "") };
        assert_eq!(
            order(vec![named, line("calls", 2, 11, ""), opened]),
            ["ownership:2", "calls:1", "calls:2"]
        );
    }

    #[test]
    fn o3_a_cause_that_is_not_shown_still_orders_what_is() {
        let hidden = Line { shown: false, ..line("calls", 7, 5, "complaints:2") };
        let lines = vec![line("ownership", 1, 1, "calls:7"), hidden, line("complaints", 2, 90, "")];
        assert_eq!(order(lines), ["complaints:2", "ownership:1"]);
    }

    #[test]
    fn o3_causes_in_a_circle_hide_nothing() {
        assert_eq!(order(vec![line("a", 1, 2, "b:1"), line("b", 1, 1, "a:1")]), ["b:1", "a:1"]);
    }

    proptest! {
        #[test]
        fn o3_no_effect_ever_precedes_its_cause(
            steps in prop::collection::vec((0_usize..4, any::<prop::sample::Index>(), prop::bool::ANY, -600_i64..600), 1..40),
            clocks in prop::array::uniform4(-5000_i64..5000),
        ) {
            const NAMES: [&str; 4] = ["calls", "callbacks", "complaints", "ownership"];
            let mut heads = [0_i64; 4];
            let mut happened: Vec<Line> = Vec::new();
            for (moment, (service, cause, caused, jitter)) in (0_i64..).zip(steps) {
                heads[service] += 1;
                let cause = if caused && !happened.is_empty() {
                    let before = cause.get(&happened);
                    format!("{}:{}", before.service, before.position)
                } else {
                    String::new()
                };
                happened.push(line(NAMES[service], heads[service], 1000 * moment + clocks[service] + jitter, &cause));
            }
            let order = ordered(happened.clone());
            prop_assert_eq!(order.len(), happened.len());
            let place: HashMap<At<'_>, usize> = order.iter().enumerate().map(|(index, line)| (line.at(), index)).collect();
            for line in &happened {
                if let Some(cause) = line.caused_by() {
                    prop_assert!(place[&cause] < place[&line.at()]);
                }
                if line.position > 1 {
                    prop_assert!(place[&(&*line.service, line.position - 1)] < place[&line.at()]);
                }
            }
            // Pages of any size make the whole.
            for size in [1, 3, 50] {
                let mut pages: Vec<Line> = Vec::new();
                loop {
                    let rest = after(order.clone(), pages.last().map(Line::at));
                    if rest.is_empty() {
                        break;
                    }
                    pages.extend(rest.into_iter().take(size));
                }
                prop_assert_eq!(&pages, &order);
            }
        }
    }
}
