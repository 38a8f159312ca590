//! Words to expressions (the grammar of `SelectorParser.jj`, and what the `create` methods of its expressions refuse).

use core::cmp::Ordering;

use super::Expression;
use super::evaluation::{Comparison, Kind, Node, Search, Value};
use super::lexer::{Lexer, Token};

/// The expression that `text` begins with. What follows it is not looked at, as in Java, whose grammar does not ask for
/// the end.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let mut parser = Parser { lexer, next, nested: 0 };
    let node = parser.any_of()?;
    parser.truth(node)
}

struct Parser<'t> {
    /// Stands behind `next`.
    lexer: Lexer<'t>,
    /// The word that has not been taken yet.
    next: Token<'t>,
    /// How many parentheses and signs are open.
    nested: usize,
}

impl<'t> Parser<'t> {
    /// `orExpression`.
    fn any_of(&mut self) -> Result<Node, String> {
        let first = self.all_of()?;
        if self.next != Token::Fixed("OR") {
            return Ok(first);
        }
        let mut operands = vec![self.truth(first)?];
        while self.takes("OR")? {
            let operand = self.all_of()?;
            operands.push(self.truth(operand)?);
        }
        self.node(Kind::Any(operands))
    }

    /// `andExpression`.
    fn all_of(&mut self) -> Result<Node, String> {
        let first = self.equality()?;
        if self.next != Token::Fixed("AND") {
            return Ok(first);
        }
        let mut operands = vec![self.truth(first)?];
        while self.takes("AND")? {
            let operand = self.equality()?;
            operands.push(self.truth(operand)?);
        }
        self.node(Kind::All(operands))
    }

    /// `equalityExpression`.
    fn equality(&mut self) -> Result<Node, String> {
        let mut left = self.comparison()?;
        loop {
            left = if self.takes("=")? {
                self.equal(left)?
            } else if self.takes("<>")? {
                let equal = self.equal(left)?;
                self.node(Kind::Not(Box::new(equal)))?
            } else if self.takes("IS")? {
                let not = self.takes("NOT")?;
                self.expects("NULL")?;
                let is_null = self.node(Kind::IsNull(Box::new(left)))?;
                if not { self.node(Kind::Not(Box::new(is_null)))? } else { is_null }
            } else {
                return Ok(left);
            }
        }
    }

    /// `createEqual`.
    fn equal(&mut self, left: Node) -> Result<Node, String> {
        let right = self.comparison()?;
        for operand in [&left, &right] {
            if operand.kind() == &Kind::Constant(None) {
                return Err(self.wrong("NULL cannot be compared: write IS NULL"));
            }
        }
        if let (Kind::Constant(Some(Value::Truth(_))), Kind::Constant(Some(other))) = (left.kind(), right.kind())
            && !matches!(other, Value::Truth(_))
        {
            return Err(self.wrong("a truth value cannot be compared with another constant"));
        }
        self.node(Kind::Equal(Box::new([left, right])))
    }

    /// `comparisonExpression`.
    fn comparison(&mut self) -> Result<Node, String> {
        let mut left = self.unary()?;
        loop {
            left = match self.next {
                Token::Fixed(">") => self.ordered(left, Comparison::Greater)?,
                Token::Fixed(">=") => self.ordered(left, Comparison::GreaterOrEqual)?,
                Token::Fixed("<") => self.ordered(left, Comparison::Less)?,
                Token::Fixed("<=") => self.ordered(left, Comparison::LessOrEqual)?,
                Token::Fixed("NOT" | "BETWEEN" | "IN" | "CONTAINS" | "STARTSWITH" | "ENDSWITH") => {
                    let not = self.takes("NOT")?;
                    self.set_or_search(left, not)?
                }
                _ => return Ok(left),
            }
        }
    }

    fn ordered(&mut self, left: Node, comparison: Comparison) -> Result<Node, String> {
        self.advance()?;
        let right = self.unary()?;
        self.check_ordered(&left)?;
        self.check_ordered(&right)?;
        self.node(Kind::Ordered(comparison, Box::new([left, right])))
    }

    /// `checkLessThanOperand`.
    fn check_ordered(&self, operand: &Node) -> Result<(), String> {
        match operand.kind() {
            Kind::Constant(Some(Value::Whole(_) | Value::Fraction(_))) | Kind::Property(_) | Kind::Negative(_) => {
                Ok(())
            }
            _ => Err(self.wrong("only numbers and properties can be compared so")),
        }
    }

    /// What may have a NOT before it.
    fn set_or_search(&mut self, left: Node, not: bool) -> Result<Node, String> {
        if self.takes("BETWEEN")? {
            return self.between(left, not);
        }
        if self.takes("IN")? {
            return self.listed(left, not);
        }
        let search = match self.next {
            Token::Fixed("CONTAINS") => Search::Contains,
            Token::Fixed("STARTSWITH") => Search::StartsWith,
            Token::Fixed("ENDSWITH") => Search::EndsWith,
            _ => return Err(self.unexpected("BETWEEN, IN or a search in texts")),
        };
        self.advance()?;
        let text = self.text()?;
        self.node(Kind::Found { search, operand: Box::new(left), text, not })
    }

    /// `createBetween`, `createNotBetween`.
    fn between(&mut self, value: Node, not: bool) -> Result<Node, String> {
        let low = self.unary()?;
        self.expects("AND")?;
        let high = self.unary()?;
        for operand in [&value, &low, &high] {
            self.check_ordered(operand)?;
        }
        if let (Kind::Constant(Some(low)), Kind::Constant(Some(high))) = (low.kind(), high.kind())
            && !not
            && low.compare(high) == Ok(Ordering::Greater)
        {
            return Err(self.wrong("the lower bound of BETWEEN is above the upper one"));
        }
        self.node(Kind::Between { operands: Box::new([value, low, high]), not })
    }

    /// `createInFilter`, `createNotInFilter`.
    fn listed(&mut self, left: Node, not: bool) -> Result<Node, String> {
        self.expects("(")?;
        let mut texts = vec![self.text()?];
        while self.takes(",")? {
            texts.push(self.text()?);
        }
        self.expects(")")?;
        let Kind::Property(name) = left.kind() else { return Err(self.wrong("only a property can be IN a list")) };
        self.node(Kind::Listed { name: name.clone(), texts, not })
    }

    /// `unaryExpr` and `primaryExpr`.
    fn unary(&mut self) -> Result<Node, String> {
        self.nested += 1;
        if self.nested > Expression::MAX_NESTING {
            return Err(self.too_deep());
        }
        let node = if self.takes("+")? {
            self.unary()?
        } else if self.takes("-")? {
            let operand = self.unary()?;
            self.node(Kind::Negative(Box::new(operand)))?
        } else if self.takes("NOT")? {
            let operand = self.unary()?;
            let operand = self.truth(operand)?;
            self.node(Kind::Not(Box::new(operand)))?
        } else if self.takes("(")? {
            let inner = self.any_of()?;
            self.expects(")")?;
            inner
        } else {
            self.leaf()?
        };
        self.nested -= 1;
        Ok(node)
    }

    fn leaf(&mut self) -> Result<Node, String> {
        let kind = match &self.next {
            Token::Name(name) => Kind::Property((*name).to_owned()),
            Token::Text(text) => Kind::Constant(Some(Value::Text(text.clone().into_owned().into()))),
            Token::Fixed("TRUE") => Kind::Constant(Some(Value::Truth(true))),
            Token::Fixed("FALSE") => Kind::Constant(Some(Value::Truth(false))),
            Token::Fixed("NULL") => Kind::Constant(None),
            // `createFromDecimal`.
            Token::Whole(digits) => match digits.trim_end_matches(['l', 'L']).parse() {
                Ok(number) => Kind::Constant(Some(Value::Whole(number))),
                Err(_) => return Err(self.wrong("the number does not fit into 64 bits")),
            },
            // `createFloat`, which refuses zero too.
            Token::Fraction(digits) => match digits.parse() {
                Ok(number) if 0.0 < number && number < f64::INFINITY => Kind::Constant(Some(Value::Fraction(number))),
                _ => return Err(self.wrong("the number is zero, too small or too large for a fraction")),
            },
            _ => return Err(self.unexpected("a property, a constant or a parenthesis")),
        };
        self.advance()?;
        self.node(kind)
    }

    fn text(&mut self) -> Result<String, String> {
        let Token::Text(text) = &self.next else { return Err(self.unexpected("a text in quotes")) };
        let text = text.clone().into_owned();
        self.advance()?;
        Ok(text)
    }

    /// `asBooleanExpression`: what is true, false or unknown. A property alone may be.
    fn truth(&self, node: Node) -> Result<Node, String> {
        match node.kind() {
            Kind::Property(_) => self.node(Kind::Truth(Box::new(node))),
            Kind::Negative(_) | Kind::Constant(Some(Value::Text(_) | Value::Whole(_) | Value::Fraction(_))) => {
                Err(self.wrong("what stands before is neither true nor false"))
            }
            _ => Ok(node),
        }
    }

    fn node(&self, kind: Kind) -> Result<Node, String> {
        let node = Node::new(kind);
        if node.depth() > Expression::MAX_NESTING { Err(self.too_deep()) } else { Ok(node) }
    }

    fn advance(&mut self) -> Result<(), String> {
        self.next = self.lexer.next()?;
        Ok(())
    }

    /// Takes the next word if it is this one.
    fn takes(&mut self, word: &'static str) -> Result<bool, String> {
        let is_next = self.next == Token::Fixed(word);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expects(&mut self, word: &'static str) -> Result<(), String> {
        if self.takes(word)? { Ok(()) } else { Err(self.unexpected(word)) }
    }

    fn unexpected(&self, expected: &str) -> String {
        self.wrong(&format!("{} instead of {expected}", self.next))
    }

    fn too_deep(&self) -> String {
        self.wrong(&format!("nested deeper than {}", Expression::MAX_NESTING))
    }

    fn wrong(&self, what: &str) -> String {
        format!("before character {}: {what}", self.lexer.character())
    }
}
