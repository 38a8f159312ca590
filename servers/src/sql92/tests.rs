//! What Apache's filter module makes of expressions: every line below was also given to it, version 5.4.0.

use super::Expression;

/// The properties of the message that all expressions here are about.
const PROPERTIES: [(&str, &str); 14] = [
    ("one", "1"),
    ("three", "3"),
    ("half", "3.5"),
    ("negative", "-7"),
    ("plus", "+7"),
    ("large", "3000000000"),
    ("exponent", "3.2E10"),
    ("padded", " 4 "),
    ("word", "axb"),
    ("quoted", "it's"),
    ("empty", ""),
    ("yes", "TRUE"),
    ("no", "no"),
    ("_under$core", "x"),
];

fn parse(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(text: &str) -> bool {
    parse(text).matches(|name| PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
}

fn all_match(texts: &[&str]) {
    for text in texts {
        assert!(matches(text), "{text}");
    }
}

fn none_matches(texts: &[&str]) {
    for text in texts {
        assert!(!matches(text), "{text}");
    }
}

fn all_refused(texts: &[&str]) {
    for text in texts {
        assert!(Expression::parse(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_are_compared_as_numbers() {
    all_match(&[
        "one = 1",
        "one < 2",
        "one <= 1",
        "three > 2",
        "three >= 3",
        "negative < 0",
        "negative = -7",
        "plus = 7",
    ]);
    all_match(&["1 = one", "2 > one", "three <> 4", "exponent > 3.1E10", "half > 3.0", "half = 3.5", "padded = 4.0"]);
    all_match(&["1 = 1", "1 < 2.5", "2.5 > 1", "3 = 3.0", "three = + 3", "negative = - + 7", "one = - -1"]);
    all_match(&["large > 2147483648", "large = 3000000000L", "large > -2147483648", "large > 1.0"]);
    none_matches(&["one = 2", "one > 1", "three < 3", "negative > 0", "half > 3.5", "1 > 2"]);
}

#[test]
fn a_text_that_is_no_such_number_makes_the_expression_fail() {
    // The other side would be true.
    none_matches(&["half > 3 OR one = 1", "word > 1 OR one = 1", "empty < 1 OR one = 1", "padded > 3 OR one = 1"]);
    none_matches(&["large > 1 OR one = 1", "NOT (word > 1)", "word <> 1", "NOT (word > one)", "TRUE = yes OR one = 1"]);
    // But it is not looked at behind what decides.
    all_match(&["one = 1 OR word > 1"]);
}

#[test]
fn two_texts_are_ordered_when_both_are_numbers() {
    all_match(&["three > one", "three >= half OR half > three", "padded > three", "exponent > large"]);
    none_matches(&["word > one OR one = 1", "word < word OR one = 1"]);
    all_match(&["one = one", "word = 'axb'", "word <> 'ax'", "one <> '1.0'", "'a' = 'a'", "word <> one"]);
}

#[test]
fn ordering_takes_numbers_and_properties_only() {
    all_refused(&["one > '0'", "'5' > one", "one > TRUE", "one > NULL", "one > (three = 3)", "(three = 3) > one"]);
    all_refused(&["one BETWEEN '0' AND '2'", "one < 2 < 3"]);
}

#[test]
fn what_is_missing_is_unknown() {
    none_matches(&["missing = 1", "missing <> 1", "NOT (missing = 1)", "missing > 1", "NOT (missing > 1)", "missing"]);
    none_matches(&["one > missing", "NOT (one > missing)", "-missing = 1", "NOT (-missing = 1)", "NOT missing"]);
    none_matches(&[
        "missing IN ('a')",
        "missing NOT IN ('a')",
        "missing BETWEEN 1 AND 2",
        "missing NOT BETWEEN 1 AND 2",
    ]);
}

#[test]
fn a_missing_right_side_is_unequal_and_two_missing_ones_are_equal() {
    all_match(&["one <> missing", "missing = gone"]);
    none_matches(&["one = missing", "missing <> gone", "missing = one", "missing <> one"]);
}

#[test]
fn logic_has_three_values() {
    all_match(&["missing = 1 OR one = 1", "one = 1 OR missing = 1", "NOT (missing = 1 AND one = 2)"]);
    all_match(&[
        "NOT (one = 2 AND missing = 1)",
        "NOT (one = 2 OR three = 4)",
        "one = 1 AND three = 3 AND word = 'axb'",
    ]);
    none_matches(&["missing = 1 AND one = 1", "one = 1 AND missing = 1", "NOT (missing = 1 AND one = 1)"]);
    none_matches(&["missing = 1 OR one = 2", "NOT (missing = 1 OR one = 2)", "NOT (one = 1 AND missing = 1)"]);
    none_matches(&["NULL", "NOT NULL", "NULL OR FALSE", "NULL AND TRUE", "NOT (NULL AND TRUE)"]);
    all_match(&["NULL OR TRUE", "NOT (NULL AND FALSE)", "TRUE", "NOT FALSE", "TRUE AND TRUE", "FALSE OR TRUE"]);
}

#[test]
fn and_binds_stronger_than_or() {
    all_match(&["one = 1 OR one = 2 AND one = 3", "one = 2 AND one = 3 OR one = 1"]);
    none_matches(&["(one = 1 OR one = 2) AND one = 3", "one = 3 AND (one = 2 OR one = 1)"]);
}

#[test]
fn not_binds_stronger_than_comparisons() {
    none_matches(&["NOT one = 1", "NOT one = 2", "NOT word = 'axb'", "NOT word = 'x' OR one = 2"]);
    all_match(&["NOT one = TRUE", "NOT (one = 2)", "NOT NOT (one = 1)", "NOT one", "NOT word AND one = 1"]);
    all_refused(&["NOT one IN ('1')", "NOT one > 1", "NOT one BETWEEN 1 AND 2", "NOT 1", "NOT 'a'", "NOT -one"]);
}

#[test]
fn null_is_asked_for_by_is() {
    all_match(&["missing IS NULL", "one IS NOT NULL", "empty IS NOT NULL", "NULL IS NULL", "1 IS NOT NULL"]);
    all_match(&["(missing = 1) IS NULL", "(one = 1) IS NOT NULL", "missing is null and one is not null"]);
    none_matches(&["one IS NULL", "missing IS NOT NULL", "empty IS NULL"]);
    all_refused(&["one = NULL", "NULL <> one", "NULL = NULL", "one IS", "one IS NOT", "one IS 1"]);
}

#[test]
fn between_includes_both_bounds() {
    all_match(&[
        "three BETWEEN 3 AND 5",
        "three BETWEEN 1 AND 3",
        "three NOT BETWEEN 4 AND 5",
        "half BETWEEN 3.0 AND 4.0",
    ]);
    all_match(&["three BETWEEN one AND half", "negative BETWEEN -8 AND -7", "2 BETWEEN one AND 3"]);
    all_match(&["three NOT BETWEEN 5 AND 4", "three BETWEEN one AND 3 AND one = 1", "one NOT BETWEEN 2 AND missing"]);
    none_matches(&[
        "-three BETWEEN -3 AND 0",
        "three BETWEEN 4 AND 5",
        "three NOT BETWEEN 3 AND 5",
        "three BETWEEN half AND one",
    ]);
    none_matches(&[
        "three BETWEEN missing AND 5",
        "three NOT BETWEEN missing AND 5",
        "NOT (three BETWEEN 1 AND missing)",
    ]);
    all_match(&["NOT (three BETWEEN missing AND 2)", "NOT (three BETWEEN 4 AND missing)"]);
    // The second bound is not looked at where the first decides.
    all_match(&["NOT (three BETWEEN 4 AND word)", "one NOT BETWEEN 2 AND word"]);
    none_matches(&["three BETWEEN 1 AND word OR one = 1"]);
}

#[test]
fn constant_bounds_in_the_wrong_order_are_refused() {
    all_refused(&["one BETWEEN 10 AND 0", "one BETWEEN 1.5 AND 1", "one BETWEEN NULL AND 1", "one BETWEEN 0 AND NULL"]);
    all_refused(&[
        "one AND BETWEEN 2 AND 10",
        "one BETWEEN 1 OR 2",
        "TRUE BETWEEN 0 AND 1",
        "one BETWEEN TRUE AND TRUE",
    ]);
    // Negative numbers are no constants.
    none_matches(&["one BETWEEN -1 AND -2"]);
    all_match(&["one BETWEEN 1 AND 1"]);
}

#[test]
fn in_lists_texts() {
    all_match(&[
        "one IN ('1')",
        "one IN ('3', '1', '2')",
        "one NOT IN ('2', '3')",
        "(word) IN ('axb')",
        "empty IN ('')",
    ]);
    all_match(&["one in ('a', 'b', 'c', 'd', 'e', '1')", "quoted IN ('it''s')"]);
    none_matches(&["one IN ('2')", "one NOT IN ('1')", "one IN ('1.0')", "word IN ('AXB')"]);
    all_refused(&[
        "one IN (1)",
        "one IN ()",
        "one IN '1'",
        "one IN ('1'",
        "one IN ('1',)",
        "'1' IN ('1')",
        "1 IN ('1')",
    ]);
    all_refused(&["-one IN ('1')", "(one = 1) IN ('1')"]);
}

#[test]
fn searches_look_into_texts() {
    all_match(&["word CONTAINS 'x'", "word STARTSWITH 'ax'", "word ENDSWITH 'xb'", "word contains 'axb'"]);
    all_match(&["word NOT CONTAINS 'y'", "word NOT STARTSWITH 'x'", "word NOT ENDSWITH 'x'", "'axb' CONTAINS 'x'"]);
    all_match(&[
        "half CONTAINS '.'",
        "NOT (word CONTAINS 'y')",
        "word CONTAINS 'x' AND one = 1",
        "quoted CONTAINS ''''",
    ]);
    none_matches(&["word CONTAINS 'X'", "word STARTSWITH 'b'", "word ENDSWITH 'a'", "word NOT CONTAINS 'x'"]);
    all_refused(&["word CONTAINS x", "word CONTAINS 1", "word CONTAINS", "word NOT", "word NOT 'x'", "word NOT = 'x'"]);
}

#[test]
fn searches_without_a_text_are_false_with_not_too() {
    for search in ["CONTAINS", "STARTSWITH", "ENDSWITH"] {
        for (operand, text) in [("missing", "x"), ("word", ""), ("1", "1"), ("(one = 1)", "t"), ("TRUE", "T")] {
            none_matches(&[&format!("{operand} {search} '{text}'"), &format!("{operand} NOT {search} '{text}'")]);
            // False, not unknown.
            all_match(&[&format!("NOT ({operand} {search} '{text}')")]);
        }
    }
}

#[test]
fn truth_values_stand_beside_texts() {
    all_match(&[
        "yes = TRUE",
        "no = FALSE",
        "word = FALSE",
        "one <> TRUE",
        "(one = 1) = TRUE",
        "(one = 1) = (three = 3)",
    ]);
    all_match(&["(one = 2) <> (three = 3)", "TRUE = TRUE", "TRUE <> FALSE", "1 <> TRUE", "'true' = TRUE"]);
    none_matches(&[
        "yes = FALSE",
        "yes",
        "NOT (yes = TRUE)",
        "TRUE = yes",
        "TRUE <> yes",
        "(one = 1) = yes",
        "1 = TRUE",
    ]);
    all_refused(&["TRUE = 1", "TRUE <> 'a'", "FALSE = 1.5"]);
}

#[test]
fn what_is_neither_true_nor_false_is_refused() {
    all_refused(&[
        "",
        "  ",
        "1",
        "'a'",
        "-one",
        "1.5",
        "one = 1 AND 1",
        "'a' OR one = 1",
        "one = 1 AND -one",
        "()",
        "(",
        "(one = 1",
    ]);
}

#[test]
fn words_are_known_in_any_case_and_names_by_theirs() {
    all_match(&["one = 1 and three = 3 Or one = 2", "nOt (one = 2)", "tRuE", "_under$core = 'x'"]);
    none_matches(&["ONE = 1", "One IS NOT NULL"]);
    all_match(&["ONE IS NULL"]);
}

#[test]
fn numbers_have_the_forms_of_java() {
    all_match(&[
        "half > 3.",
        "half > .5",
        "exponent > 1E10",
        "exponent > 1.5e+10",
        "half > 1E-3",
        "half < 00.4E1",
        "one = 1l",
    ]);
    all_refused(&["half > 0.0", "half > .0", "half > 1E400", "half > 1E-400", "one > 9223372036854775808", "one > ."]);
    all_refused(&["one > 100000000000000000000000", "one != 1", "one == 1", "one > 1 # 2", "one > 'a"]);
    all_match(&["large < 9223372036854775807", "negative < 0"]);
}

#[test]
fn space_and_comments_are_passed_over() {
    all_match(&["\t one\n=\r1\x0C", "one /* a * b ** */ = 1", "one -- two\n = 1", "/**/one = 1", "one=1AND three=3"]);
    // Without the end of its line it is two signs.
    all_match(&["one = --1", "one = 1 -- two"]);
    all_refused(&["one = /* 1", "one = 1 /* 2", "one\u{a0}= 1"]);
}

#[test]
fn what_follows_a_complete_expression_is_not_looked_at() {
    all_match(&["one = 1 nonsense", "one = 1)", "one = 1 , #", "one = 1 three = 4", "one > 0x10 AND"]);
    none_matches(&["word LIKE 'a%'", "one = 2 three = 3", "one = 01"]);
    // But for one word.
    all_refused(&["one = 1 #", "one = 1 'a", "one = 1 NOT", "one = 1 AND", "one = 1 IS 2"]);
}

#[test]
fn length_and_nesting_have_bounds() {
    let nested = |depth: usize| format!("{}one = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(matches(&nested(Expression::MAX_NESTING - 1)));
    let many = |part: &str, count: usize| part.repeat(count);
    let deepest = Expression::MAX_NESTING + 1;
    for text in [
        nested(deepest),
        format!("{}TRUE", many("NOT ", deepest)),
        format!("one = {}1", many("- ", deepest)),
        format!("one = {}1", many("+ ", deepest)),
        format!("one{}", many(" = three", deepest)),
        format!("one{}", many(" IS NULL", deepest)),
        format!("one{}", many(" CONTAINS 'a'", deepest)),
    ] {
        let refused = Expression::parse(&text).expect_err(&text);
        assert!(refused.contains("nested deeper"), "{refused}");
    }
    // What stands side by side is not nested.
    let wide = format!("one = 2{}", many(" OR one = 1", 5000));
    assert!(matches(&wide) && matches(&wide.replace("OR", "AND").replace("= 2", "= 1")));
    let long = format!("one = '{}'", many("x", Expression::MAX_LENGTH));
    assert!(Expression::parse(&long).is_err_and(|refused| refused.contains("more than")));
}
