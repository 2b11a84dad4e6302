//! What the domain finds wrong with somebody, with a time or with an entry of the roster, in Chinese. It says so in English and in few words, which
//! are the metadata `problem`.

/// A problem in Chinese, as the end of a sentence.
pub(super) fn in_chinese(problem: &'static str) -> &'static str {
    match problem {
        // Of a receiver or a deputy.
        "is not in the roster" => "不在名册中",
        "is not active" => "已停用",
        "serves no clients" => "不承担客户服务",
        "is the handler already" => "已是该事项的承办人",
        "is complained about in this case (O12)" => "是该事项中被投诉的人（O12），须回避",
        "is on the call already" => "已在该通话中",
        "works neither in this branch nor at HQ" => "既不属于本营业部，也不属于总部",
        "took the message" => "是记录留言的人",
        "is the one who gives the cases away" => "是移交事项的人",
        "is the absent person" => "是离岗人员本人",
        // Of an absence.
        "lies too far ahead" => "距今过远",
        "must lie after the begin" => "须晚于开始时间",
        "has passed already" => "已过",
        "is needed for an absence that is planned" => "是计划离岗所必填的",
        // Of an entry of the roster.
        "lies outside the caller's branches" => "不在调用人的营业部范围内",
        "is not in the roster; import the branch first" => "不在名册中，请先导入该营业部",
        "is not in the roster; import the employee first" => "不在名册中，请先导入该员工",
        "belongs to another employee" => "已属于其他员工",
        untold => untold,
    }
}
