"""Invented people and words for generate.py: nobody here exists. Mobile numbers begin with 154, which is assigned to no
carrier. Deliberately only lists; what is done with them stands in generate.py.
"""

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
GIVEN = {
    "male": "建国 志强 伟东 晓峰 永胜 文斌 海涛 立军 国栋 德明 振华 长青 俊杰 新民 宝山 子轩 浩然 铁柱 卫平 学文 根生 宏亮 凯 磊 勇".split(),
    "female": "秀英 桂兰 玉梅 晓燕 丽华 淑珍 雪琴 春花 海霞 艳红 佳怡 诗涵 美玲 爱萍 素云 慧敏 雅静 彩凤 月娥 欣悦 巧玲 改花 静 敏 婷".split(),
}

# employee, display name, branch, roles, position (L8)
EMPLOYEES = [
    ("han-lixin", "韩立新", "changzhi", "staff;lead", "branch_head"),
    ("wang-fang", "王芳", "changzhi", "staff", "manager"),
    ("li-qiang", "李强", "changzhi", "staff", "manager"),
    ("zhao-min", "赵敏", "changzhi", "staff", "team_leader"),
    ("liu-yang", "刘洋", "changzhi", "staff", "team_leader"),
    ("chen-jing", "陈静", "changzhi", "staff", "team_leader"),
    ("yang-guang", "杨光", "changzhi", "staff", ""),
    ("guo-rui", "郭瑞", "changzhi", "staff", ""),
    ("song-jia", "宋佳", "changzhi", "staff", ""),
    ("ma-chao", "马超", "changzhi", "staff", ""),
    ("hao-yun", "郝云", "changzhi", "staff", ""),
    ("wei-dong", "魏东", "changzhi", "staff", ""),
    ("qin-lan", "秦岚", "changzhi", "staff", ""),
    ("shi-lei", "石磊", "changzhi", "staff;complaint_officer", ""),
    ("niu-xiaoli", "牛晓丽", "changzhi", "staff", ""),
    ("fan-zhenyu", "范振宇", "taiyuan", "lead", "branch_head"),
    ("cui-ying", "崔颖", "taiyuan", "staff", "manager"),
    ("ren-jie", "任杰", "taiyuan", "staff", ""),
    ("pang-bo", "庞博", "taiyuan", "staff", ""),
    ("geng-xue", "耿雪", "taiyuan", "staff;complaint_officer", ""),
    ("jiang-wenhua", "蒋文华", "hq", "hq", ""),
    ("tan-yujie", "谭玉洁", "hq", "hq", ""),
    ("xu-guanli", "许冠黎", "hq", "admin", ""),
    ("shen-ji", "沈霁", "hq", "auditor", ""),
    ("lu-mingyuan", "陆明远", "hq", "company_leader", ""),
]

# topic: (weight, type of inquiry, what clients say)
TOPICS = {
    "fund-transfer": (14, "资金", ["银证转账失败，提示超过{bank}限额", "从{bank}转入{sum}元，资金没有到账", "问夜间能否做银证转账",
                                  "转出{sum}元，{bank}卡里一直没有收到"]),
    "password-reset": (12, "账户", ["交易密码连输三次被锁", "忘记资金密码，问能否在网上重置", "换了手机，登录要求重新验证"]),
    "trading-software": (12, "软件", ["行情软件升级后打不开", "手机端委托界面没有“撤单”按钮", "电脑版闪退，重装以后还是一样",
                                     "条件单没有触发，要求查原因"]),
    "account-opening": (9, "开户", ["想开户，问要带什么证件", "网上开户卡在视频见证一步", "问外地户口能不能在本部开户"]),
    "ipo-subscription": (9, "业务", ["中签后忘记缴款，问有什么后果", "问新股申购额度怎么算", "显示中签，账户里没有扣款"]),
    "fee": (8, "费用", ["觉得佣金偏高，要求调整", "对账单上有一笔{fee}元的费用看不懂", "问融资利率能不能再谈"]),
    "funds": (8, "产品", ["定投的基金上月没有扣款", "赎回货币基金，钱几天能到", "问{sum}元放短债基金合不合适"]),
    "board-permission": (6, "业务", ["要开创业板权限，问需要几年经验", "科创板测评没有通过，问多久可以再做"]),
    "margin": (6, "信用", ["维持担保比例低于预警线，问怎么追加", "融资合约到期，要求展期", "问{stock}是不是标的券"]),
    "third-party-custody": (5, "账户", ["要把存管银行换成{bank}", "{bank}卡挂失补办，三方存管怎么变更"]),
    "id-update": (5, "账户", ["身份证到期，账户被限制，要求更新", "换了手机号，要改预留号码"]),
    "dividend": (4, "业务", ["{stock}分红已过登记日，没有到账", "问红利税为什么扣了两次"]),
    "statement": (4, "账户", ["要一份近一年的对账单，贷款用", "交割单与{bank}流水对不上"]),
    "account-transfer": (3, "账户", ["想转户到别家，问手续", "要撤销指定交易，说网上办不成"]),
    "service": (3, "服务", ["反映柜台排队太久", "说上次约好回电没有人打来", "建议大厅多放两台自助机"]),
}
BANKS = ["工行", "农行", "建行", "中行", "交行", "邮储", "招行"]
STOCKS = ["晋源股份", "太行新材", "漳泽能源科技", "上党医药", "潞州重工", "云岗文旅"]  # no listed companies

HANDLING = {
    "answered_clear": ["当场说明，客户表示清楚", "按流程指导操作，已办成", "查明原因并解释，客户满意", "告知规定与办法，再无其他问题"],
    "answer_owed": ["需向后台核实，答应两个工作日内答复", "已记下，请专岗查询后答复", "资料不全，核实后再答复客户"],
    "callback_promised": ["约定时间回电", "客户不方便久等，已约回电", "需问同事，与客户约好时间回电"],
    "inaudible": ["声音听不清，请客户稍后再拨"], "noisy_line": ["线路杂音大，未能说完"],
    "system_failure": ["系统故障，已留联系方式"], "dialect": ["方言难懂，已请同事协助，待核实"],
    "harassment": ["反复骚扰，按规定结束并报主管"], "abuse": ["辱骂不止，已请主管接听"],
}
STILL_WAITING = ["来催：{said}", "再问进度：{said}", "补充情况：{said}"]
ASSESSMENTS = ["多年老客户，表达清楚", "操作不熟，需耐心引导", "情绪着急，安抚后配合", "懂行情，关心费用", "年纪较大，建议到柜台办理",
               "较谨慎，反复确认", "新开户不久，问题较多"]
PROSPECT_SAID = ["不是本公司客户，打听开户条件", "想比较几家佣金，先问问", "替父母问如何取回多年前的股票账户", "问营业部地址和上班时间",
                 "听说有投资者教育讲座，问怎么报名"]

OFFER_REASONS = ["属信用业务专岗", "需柜台复核原件", "客户希望由熟悉的员工办理", "本人下午外出", "涉及系统权限，由专人处理", "手头事项已满"]
EXPLANATIONS = ["已告知客户由同事接手，首问仍由我负责", "已向客户说明原因并致歉", "客户同意由专岗联系", "已说明今天内会有同事联系"]
DECLINE_REASONS = ["手头事项多，今天处理不了", "不属我岗位", "我与该客户无业务关系，请原承办人继续"]
OVERRIDE_REASONS = ["承办人休假，时限将到", "承办人外出，客户急等答复", "客户要求主管直接答复"]
ANSWERS = ["已核实到账时间并告知客户", "后台已处理，请客户重新登录", "原因是银行限额，已教客户分笔转账", "费用明细已逐项解释", "资料已补齐，业务办结",
           "已按规定调整，次日生效", "确认是软件版本问题，更新后正常", "已说明规定，不能办理的部分也说明了理由"]
DISSATISFIED = ["问题又出现了", "答复与柜台说法不一", "客户认为没有说清", "等得太久，要求重新核实", "处理结果未见效果"]
REOPENED = ["客户来信说问题没有解决", "客户再次来电，说的是同一件事", "回头核对发现答复有误", "客户到柜台说明仍未办成"]
UNREACHABLE = ["三次回访均联系不上，短信已告知", "多次联系未果，已留言"]
EXPLAINED = ["答复正确，已再次解释", "已由主管当面解释规定，客户仍有意见"]
CANCELLED = ["多次未通，短信告知客户可随时来电", "号码关机，客户改日会到柜台"]
POSTPONED = ["改日再试一轮", "换个时段再联系"]
SUGGESTIONS = ["", "", "", "", "希望电话更容易打通", "希望软件少改版", "回电很及时", "希望答复快些", "多办讲座"]
TOLD = ["客户说已解决，谢谢", "客户确认清楚", "逐项问答完毕", "客户已收到款项"]
TOLD_UNSOLVED = ["客户说还没有解决", "客户要求再查", "客户对解释不满意"]
