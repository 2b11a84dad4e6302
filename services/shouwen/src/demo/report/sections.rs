//! The sections of the printed report: which figures stand where, under which words.

use std::fmt;

use serde_json::Value;

use super::{
    Report,
    layout::{grid, heading, table},
};

impl Report {
    pub(super) fn contacts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "来访与来电", "Contacts")?;
        grid(
            f,
            &self.cells(
                "contacts.",
                &[
                    ("总数 total", "total"),
                    ("电话 phone", "phone"),
                    ("柜台 counter", "counter"),
                    ("邮件 e-mail", "email"),
                    ("网上 web", "web"),
                    ("信函 letter", "letter"),
                    ("意见簿 opinion book", "opinion_book"),
                    ("已接 answered", "answered"),
                    ("未接 missed", "missed"),
                    ("无事项 no concern", "no_concern"),
                    ("非工作时间 after hours", "outside_working_hours"),
                    ("接听超时 answered late", "late"),
                    ("先挂断 hung up first", "violations"),
                    ("第二人被拒 2nd refused", "second_answers_refused"),
                ],
            ),
        )?;
        heading(f, "咨询记录", "Records")?;
        grid(
            f,
            &self.cells("records.", &[("完整 complete", "complete"), ("不完整 incomplete", "incomplete")]),
        )
    }

    pub(super) fn ownership(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "事项", "Cases")?;
        grid(
            f,
            &self.cells(
                "cases.",
                &[
                    ("受理 opened", "opened"),
                    ("并入 merged", "merged"),
                    ("无效 void", "void"),
                    ("满意结案 satisfied", "closed_satisfied"),
                    ("联系不上 unreachable", "closed_unreachable"),
                    ("解释结案 explained", "closed_explained"),
                    ("待评价 awaiting word", "awaiting"),
                    ("在办 open", "open"),
                    ("重新受理 reopenings", "reopenings"),
                    ("已建客户档案 with file", "with_client_file"),
                ],
            ),
        )?;
        heading(f, "转办与协助", "Hand-overs and assistance")?;
        let mut cells = self.cells(
            "hand_overs.",
            &[
                ("发出 offered", "offered"),
                ("接受 accepted", "accepted"),
                ("拒绝 declined", "declined"),
                ("撤回 withdrawn", "withdrawn"),
                ("过期 expired", "expired"),
            ],
        );
        cells.extend(self.cells(
            "",
            &[
                ("主管介入 overrides", "overrides"),
                ("协助 assists", "assists"),
                ("操作被拒 refused", "refused_actions"),
            ],
        ));
        grid(f, &cells)
    }

    pub(super) fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "时限", "Limits")?;
        let kinds = [
            ("答复 answer", "answer"),
            ("约定回访 promised callback", "promised"),
            ("未接回访 missed call", "missed_call"),
            ("非工作时间回访 after hours", "after_hours"),
            ("投诉核实 verification", "verification"),
        ];
        let header = ["", "按时 kept", "超时 missed", "进行中 running", "按时率 kept %"].map(str::to_owned);
        let row = |(label, path): (&str, String)| {
            let figure = |standing: &str| self.figure(&format!("{path}.{standing}"));
            let (kept, missed) = (figure("kept"), figure("missed"));
            let (running, share) = (figure("running").to_string(), share(kept, kept + missed));
            [label.to_owned(), kept.to_string(), missed.to_string(), running, share]
        };
        let mut rows = vec![header];
        rows.extend(kinds.map(|(label, kind)| row((label, format!("limits.{kind}")))));
        let complaints = [
            ("投诉受理 acceptance", "acceptance"),
            ("投诉首次回复 first reply", "first_reply"),
            ("投诉明确答复 definite answer", "definite_answer"),
            ("投诉处理意见 proposal", "proposal"),
            ("投诉处理结果 outcome", "outcome"),
            ("投诉办结 settlement", "settlement"),
        ];
        rows.extend(complaints.map(|(label, kind)| row((label, format!("complaints.limits.{kind}")))));
        table(f, &rows)?;
        self.escalations(f)?;
        heading(f, "回访", "Callbacks")?;
        grid(
            f,
            &self.cells(
                "callbacks.",
                &[
                    ("约定 promised", "promised"),
                    ("未接来电 missed call", "missed_call"),
                    ("非工作时间 after hours", "after_hours"),
                    ("投诉核实 verification", "verification"),
                    ("合并未接 coalesced", "coalesced"),
                    ("拨打 attempts", "attempts"),
                    ("完成 completed", "completed"),
                    ("次数用尽 exhausted", "exhausted"),
                    ("取消 cancelled", "cancelled"),
                    ("租约过期 leases lost", "leases_lost"),
                ],
            ),
        )
    }

    /// O10
    fn escalations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "逾期上报", "Escalation of missed limits")?;
        let header =
            ["", "责任人 responsible", "主管 lead", "总部 HQ", "公司领导 company leader"].map(str::to_owned);
        let mut rows = vec![header];
        for (label, what) in
            [("事项 cases", "cases"), ("回访 callbacks", "callbacks"), ("投诉 complaints", "complaints")]
        {
            let told = |level: &str| self.figure(&format!("escalations.{what}.{level}")).to_string();
            rows.push([
                label.to_owned(),
                told("responsible"),
                told("lead"),
                told("hq"),
                told("company_leader"),
            ]);
        }
        table(f, &rows)
    }

    pub(super) fn clients(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "客户", "Clients")?;
        let mut cells = self.cells(
            "clients.",
            &[
                ("档案 files", "imported"),
                ("VIP", "vip"),
                ("核心 core", "core"),
                ("分类变更 class changes", "class_changes"),
                ("交接 handed over", "manager_changes"),
                ("无服务人 nobody serves", "without_manager"),
            ],
        );
        let classes = ["A+", "B+", "A", "B", "C", "D", "C-", "D-", "E", "F", "G"];
        let paths = classes.map(|class| (class, format!("classes.{class}")));
        cells.extend(paths.iter().flat_map(|(class, path)| self.cells("clients.", &[(class, path)])));
        grid(f, &cells)?;
        heading(f, "客户服务责任", "Coverage of clients by position")?;
        grid(
            f,
            &self.cells(
                "clients.coverage.",
                &[
                    ("负责人 branch head", "branch_head"),
                    ("经理 manager", "manager"),
                    ("组长 team leader", "team_leader"),
                    ("员工 anyone", "anyone"),
                ],
            ),
        )?;
        heading(f, "身份核实", "Verified identities")?;
        grid(
            f,
            &self.cells(
                "clients.",
                &[
                    ("核实通过 verified", "verified"),
                    ("答错 wrong answers", "wrong_answers"),
                    ("锁定 locked", "verification_locks"),
                    ("完整展示 shown in full", "disclosures"),
                ],
            ),
        )
    }

    pub(super) fn complaints(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "投诉与意见", "Complaints, opinions, suggestions")?;
        let mut cells = self.cells(
            "complaints.",
            &[
                ("登记 filed", "filed"),
                ("投诉 complaints", "kinds.complaint"),
                ("意见 opinions", "kinds.opinion"),
                ("建议 suggestions", "kinds.suggestion"),
                ("查询 inquiries", "kinds.inquiry"),
                ("VIP/核心 VIP or core", "vip"),
                ("全部责任 upheld", "findings.upheld"),
                ("部分责任 partly upheld", "findings.partly_upheld"),
                ("无责任 not upheld", "findings.not_upheld"),
                ("超权限 beyond authority", "marks.beyond_authority"),
                ("恶意 malicious", "marks.malicious"),
                ("回避移交 moved (O12)", "moved_accountabilities"),
                ("一般 minor", "severities.minor"),
                ("较重 serious", "severities.serious"),
                ("严重 grave", "severities.grave"),
            ],
        );
        cells.extend(self.cells(
            "complaints.steps.",
            &[
                ("受理 accepted", "accepted"),
                ("婉拒 declined", "declined"),
                ("部门联系 communications", "communications"),
                ("答复 replies", "replies"),
                ("处理意见 proposals", "proposals"),
                ("审批 approvals", "approvals"),
                ("退回 returned", "returned"),
                ("措施落实 measures done", "measures_done"),
                ("措施未落实 not done", "measures_not_done"),
                ("办理完毕 handled", "handled"),
                ("重新办理 reopened", "reopened"),
            ],
        ));
        grid(f, &cells)?;
        self.complaint_results(f)
    }

    fn complaint_results(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "投诉现状与结果", "Where complaints stand, and how they ended")?;
        let mut cells = self.cells(
            "complaints.states.",
            &[
                ("待受理 filed", "filed"),
                ("调查中 handling", "handling"),
                ("待审批 proposed", "proposed"),
                ("待落实 approved", "approved"),
                ("待核实 handled", "handled"),
                ("已结 closed", "closed"),
            ],
        );
        cells.extend(self.cells(
            "complaints.ends.",
            &[
                ("满意 satisfied", "satisfied"),
                ("婉拒 declined", "declined"),
                ("联系不上 unreachable", "unreachable"),
                ("解释 explained", "explained"),
                ("已答复 answered", "answered"),
            ],
        ));
        grid(f, &cells)?;
        heading(f, "核实回访", "Verification")?;
        grid(
            f,
            &self.cells(
                "complaints.verifications.",
                &[
                    ("核实 recorded", "recorded"),
                    ("满意 satisfied", "satisfied"),
                    ("不满意 dissatisfied", "dissatisfied"),
                    ("措施已落实 carried out", "carried_out"),
                    ("措施未落实 not carried out", "not_carried_out"),
                    ("措施无效 without effect", "without_effect"),
                    ("更正 superseded", "superseded"),
                ],
            ),
        )?;
        heading(f, "投诉编号", "Complaint numbers given, by unit and month")?;
        let mut rows = vec![["", "月份 month", "编号数 numbers"].map(str::to_owned)];
        let units = self.figures.pointer("/complaints/numbers").and_then(Value::as_object);
        for (unit, months) in units.into_iter().flatten() {
            for (month, count) in months.as_object().into_iter().flatten() {
                rows.push([unit.clone(), month.clone(), count.to_string()]);
            }
        }
        table(f, &rows)
    }

    pub(super) fn satisfaction(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "客户满意度", "Satisfaction")?;
        let mut cells = self.cells(
            "satisfaction.",
            &[
                ("满意 satisfied", "satisfied"),
                ("一般 neutral", "neutral"),
                ("不满意 dissatisfied", "dissatisfied"),
            ],
        );
        let (total, scored) = (self.figure("satisfaction.score_total"), self.figure("satisfaction.scored"));
        // Tenths in whole numbers: 1244 of 159 is 7.8.
        let tenths = if scored == 0 { 0 } else { (total * 20 / scored + 1) / 2 };
        cells.push(("平均分 mean score", format!("{}.{}", tenths / 10, tenths % 10)));
        cells.push(("打分数 scores", scored.to_string()));
        grid(f, &cells)
    }

    pub(super) fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "责任人", "Responsible persons")?;
        let header = ["", "首问 first responder", "责任 accountable", "在办 handling"].map(str::to_owned);
        let mut rows = vec![header];
        let people = self.figures.get("responsible").and_then(Value::as_object);
        for (who, tally) in people.into_iter().flatten() {
            let figure = |what| tally.get(what).and_then(Value::as_i64).unwrap_or_default().to_string();
            let name = self.names.get(who).map_or_else(String::new, |name| format!("{name} "));
            rows.push([
                format!("{name}{who}"),
                figure("first_responder"),
                figure("accountable"),
                figure("handling"),
            ]);
        }
        table(f, &rows)
    }
}

/// In percent with one digit; a dash for nothing of nothing.
fn share(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = (part * 2000 / whole + 1) / 2;
    format!("{}.{}", tenths / 10, tenths % 10)
}
