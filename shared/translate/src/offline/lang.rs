//! Words that mean something whatever the catalogue says: fillers, joints, negations, conditions, and what is never translated.
//!
//! A few of the commonest, in the languages the shipped catalogue speaks. What is not here is unknown, and unknown words make a
//! translation less sure.

/// Words that carry nothing.
const FILLERS: &str = "a an the my our your this that these those it its them they to of on in at for from with by into as is are be was \
i you we me us please can could would should will want need needs like let lets have has get just now kindly hello hi hey thanks thank \
using use used via per about some any all each which where so also both other another more most very too over out up there here s t re d l \
der die das den dem des ein eine einen einem einer mit auf im für von zu zum zur bitte ich möchte wir mein meine meinen unser unsere \
daraus es sie ihn darauf damit davon alle diese diesen \
le la les un une des du de à au aux sur avec pour dans en je veux voudrais vous plaît plait mon ma mes ce cette ces nos notre leur tous \
el los las unos unas del con para por favor quiero mi mis al sobre lo sus su este esta estos \
il gli i di della dei delle degli con per nel nella voglio mio mia sul \
o os as um uma do da dos das com em na quero meu minha \
请 把 将 用 的 一个 个 我 想 要 对 在 上 里 进行 一下 这个 所有 它 了 を に で の は して してください ください する 을 를 에 로 해줘 해주세요 \
на с для из в во по мне пожалуйста хочу это эту все его";

/// Verbs that say only that something is to be done.
const NEUTRAL: &str = "run perform do doing make making create build start execute carry produce generate give show help compute calculate \
apply take set go setup launch kick work handle conduct mache machen erstelle erstellen führe durch starte erzeuge berechne gib zeige hilf \
fais faire lance lancer exécute crée créer génère générer produire produis calcule montre aide haz hacer ejecuta crea crear genera calcula muestra ayuda \
fai fare esegui creare calcola mostra faça execute crie gere 生成 制作 做 创建 运行 执行 計算 作成 сделай создай запусти построй";

/// Things that this is always about.
const DOMAIN: &str = "data dataset datasets set sets model models machine learning deep ml ai pipeline workflow job task tasks step steps result \
results large big huge small new file files table tables csv column columns numeric numbers row rows feature features training testing test \
customer customers sales quality best good accurate accuracy distributed gpu first simple whole entire full raw clean cleaned trained \
daten datensatz datensätze modell modelle ergebnis ergebnisse groß große großen datei tabelle spalten maschinelles lernen \
données jeu modèle modèles résultat résultats grand fichier table colonnes apprentissage automatique \
datos conjunto modelo modelos resultado resultados grande archivo tabla columnas aprendizaje automático \
dati modello modelli risultati file dataset tabella dados resultados \
数据 数据集 模型 结果 大 大型 机器学习 文件 表 集 データ データセット モデル 結果 大規模 데이터 모델 결과 데이터셋 \
данные данных модель модели результат результаты большом большой наборе набор файл";

/// Words that begin the next step.
const THEN: &str = "then next afterwards afterward finally lastly subsequently followed second third dann danach anschließend \
schließlich zuletzt puis ensuite enfin luego después despues entonces finalmente poi dopo quindi infine depois então 然后 再 接着 \
最后 之后 それから 次に 最後に 그리고 затем потом далее";

/// Words that say that a step is the first.
const FIRST: &str = "first firstly zuerst zunächst d'abord abord primero prima primeiro 首先 先 まず сначала";

/// Words that join steps of equal rank.
const AND: &str = "and und et y e plus 并 和 及 并且 と и";

/// Words after which the earlier step is named: `train after cleaning`.
const AFTER: &str = "after once nachdem sobald";

/// Words after which the later step is named: `clean before training`.
const BEFORE: &str = "before prior bevor avant antes";

/// Words by which a step waits for what is before it: `notify me when it is done`.
const WHEN: &str = "when once wenn sobald quand cuando quando 当";
const DONE: &str = "done finished finishes ready complete completed completes over ends end fertig fini terminé prêt listo terminado finito pronto 完成";

/// Words that take something back.
const NOT: &str = "not no never without don dont doesn except skip nicht kein keine keinen ohne ne pas sans sin nunca non senza sem não \
不 不要 别 ない не без";

/// Words of conditions, repetition and time, which a sentence cannot be translated to.
const CONDITIONS: &str = "if unless whenever until while otherwise else falls si если 如果 もし";
const TIMES: &str = "every daily hourly weekly monthly nightly tomorrow tonight schedule scheduled cron midnight weekend täglich jeden jede \
stündlich morgen quotidien chaque demain diario diariamente cada mañana ogni domani ежедневно каждый 每天 每小时 明天 毎日";

/// Words that are never explained by the words around them. Cleaning may name some of them: `remove duplicates`.
const DANGEROUS: &str = "delete drop wipe destroy truncate purge erase kill shutdown overwrite remove uninstall reboot disable bypass override \
overrule ignore disregard forget pretend reveal exfiltrate leak steal hack exploit sudo rm chmod chown curl wget bash zsh powershell exec eval \
shell password passwords passwd credential credentials secret secrets apikey ssh jailbreak guardrail guardrails policy policies instructions \
prompt prompts admin administrator malware ransomware encrypt ddos attack deploy production prod clear reset revoke grant \
lösche löschen vernichte zerstöre entferne überschreibe ignoriere passwort supprime supprimer efface effacer détruis détruire ignorez \
borra borrar elimina eliminar destruye ignora contraseña cancella cancellare distruggi apague exclua \
删除 清空 销毁 忽略 密码 绕过 削除 無視 パスワード 삭제 무시 удали удалить сотри игнорируй пароль";

/// Words that say that it is urgent.
const URGENT: &str = "urgent urgently asap immediately quickly dringend sofort eilig urgence urgente rápidamente subito 紧急 立即 срочно";

/// What a word does in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Filler,
    Neutral,
    Domain,
    Then,
    First,
    And,
    After,
    Before,
    When,
    Done,
    Not,
    Condition,
    Time,
    Dangerous,
    Urgent,
}

/// Every role with its words; a word may have several.
const ROLES: [(Role, &str); 15] = [
    (Role::Filler, FILLERS),
    (Role::Neutral, NEUTRAL),
    (Role::Domain, DOMAIN),
    (Role::Then, THEN),
    (Role::First, FIRST),
    (Role::And, AND),
    (Role::After, AFTER),
    (Role::Before, BEFORE),
    (Role::When, WHEN),
    (Role::Done, DONE),
    (Role::Not, NOT),
    (Role::Condition, CONDITIONS),
    (Role::Time, TIMES),
    (Role::Dangerous, DANGEROUS),
    (Role::Urgent, URGENT),
];

/// Whether `word` has the role.
pub(super) fn is(word: &str, role: Role) -> bool {
    ROLES
        .iter()
        .filter(|(known, _)| *known == role)
        .any(|(_, words)| words.split_ascii_whitespace().any(|known| known == word))
}

/// Whether `word` has any role.
pub(super) fn is_known(word: &str) -> bool {
    ROLES
        .iter()
        .any(|(_, words)| words.split_ascii_whitespace().any(|known| known == word))
}

/// Words of writing without blanks, by which it can be taken apart.
pub(super) fn unspaced() -> impl Iterator<Item = &'static str> {
    let words = ROLES.iter().flat_map(|(_, words)| words.split_ascii_whitespace());
    words.filter(|word| word.chars().any(is_unspaced))
}

/// Whether a letter belongs to writing without blanks.
pub(super) fn is_unspaced(letter: char) -> bool {
    matches!(u32::from(letter), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff)
}

/// Phrases that address whoever translates instead of asking for work, in lower case.
pub(super) const ADDRESSED: [&str; 21] = [
    "ignore previous",
    "ignore all",
    "ignore the above",
    "ignore your",
    "disregard",
    "previous instructions",
    "system prompt",
    "developer mode",
    "you are now",
    "act as",
    "pretend to",
    "jailbreak",
    "<script",
    "drop table",
    "rm -rf",
    "; rm ",
    "$(",
    "${",
    "&& ",
    "| sh",
    "/etc/",
];
