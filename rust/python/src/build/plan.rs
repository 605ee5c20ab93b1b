//! What to build from which JSON. Plans are trees of `Node`s; Python describes them in tuples.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::layout::Layout;
use super::maker::{Maker, copy_of_set};
use super::shared_values::SharedValues;
use crate::stack;

/// How many fields a model may have. A set of them is kept as an integer of this many bits.
const MAX_FIELDS: usize = 128;

/// How deep plans may be nested, and how many definitions may refer to each other without a JSON value
/// between them. The plans of the SDKs are up to 21 deep.
const MAX_DEPTH: usize = 100;

/// How many parts a plan may have, its definitions included. The largest plan of an SDK has about 2,000.
const MAX_PARTS: usize = 100_000;

/// A plan and the definitions that it refers to.
pub struct Plan {
    pub root: Node,
    pub definitions: Vec<Node>,
    /// How many models there are.
    pub models: usize,
    /// How many choices by a tag there are.
    pub tagged: usize,
}

impl Plan {
    /// # Errors
    ///
    /// `TypeError` or `ValueError`: it is no plan, it refers to itself, or it is too large or too deep.
    pub fn read(plan: &Bound<'_, PyAny>, definitions: &[Bound<'_, PyAny>]) -> PyResult<Self> {
        let mut reader = Reader::default();
        let root = reader.node(plan)?;
        let definitions = definitions.iter().map(|plan| reader.node(plan)).collect::<PyResult<Vec<_>>>()?;
        check_definitions(&definitions)?;
        Ok(Self { root, definitions, models: reader.models, tagged: reader.tagged })
    }

    /// Shows the Python objects to the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.root.traverse(visit)?;
        self.definitions.iter().try_for_each(|node| node.traverse(visit))
    }
}

/// What is built from a JSON value.
pub enum Node {
    /// What `json.loads` gives.
    Any,
    String,
    Int,
    /// A float, or an int that a float can hold.
    Float,
    Boolean,
    Null,
    /// One of these immutable values, for the string in UTF-8 that has the same index.
    Literal(Vec<Py<PyAny>>, Vec<Box<[u8]>>),
    Nullable(Box<Node>),
    /// The first of these that does not refuse the value.
    Either(Box<[Node; 2]>),
    List(Box<Node>),
    Dict(Box<Node>),
    Model(Box<Model>),
    Struct(Box<Struct>),
    /// An object: the string that it has for a key says what is built.
    Tagged(Tagged),
    /// The kind of the JSON value says what is built.
    ByKind(Box<ByKind>),
    /// What a function returns for the value.
    Call(Py<PyAny>),
    /// One of the plan's definitions.
    Definition(usize),
}

impl Node {
    /// Whether what is built is immutable, and refers to nothing else.
    pub fn is_scalar(&self) -> bool {
        match self {
            Self::String | Self::Int | Self::Float | Self::Boolean | Self::Null | Self::Literal(..) => true,
            Self::Nullable(node) => node.is_scalar(),
            _ => false,
        }
    }

    /// The definitions that this node refers to before anything is read.
    fn next_definitions(&self, found: &mut Vec<usize>) {
        match self {
            Self::Definition(place) => found.push(*place),
            Self::Nullable(node) => node.next_definitions(found),
            Self::Either(nodes) => nodes.iter().for_each(|node| node.next_definitions(found)),
            Self::Tagged(tagged) => tagged.choices.iter().for_each(|node| node.next_definitions(found)),
            Self::ByKind(nodes) => nodes.each().for_each(|node| node.next_definitions(found)),
            _ => {}
        }
    }

    /// Whether the same string, number or word always gives the same value. Only functions may give others.
    fn is_pure(&self) -> bool {
        match self {
            Self::Nullable(node) => node.is_pure(),
            Self::Either(nodes) => nodes.iter().all(Self::is_pure),
            Self::ByKind(nodes) => nodes.each().all(Node::is_pure),
            Self::Call(_) | Self::Definition(_) => false,
            _ => true,
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Nullable(node) | Self::List(node) | Self::Dict(node) => node.traverse(visit),
            Self::Either(nodes) => nodes.iter().try_for_each(|node| node.traverse(visit)),
            Self::Model(model) => model.traverse(visit),
            Self::Struct(model) => model.traverse(visit),
            Self::Tagged(tagged) => tagged.choices.iter().try_for_each(|node| node.traverse(visit)),
            Self::ByKind(nodes) => nodes.each().try_for_each(|node| node.traverse(visit)),
            Self::Call(function) => visit.call(function),
            Self::Literal(values, _) => values.iter().try_for_each(|value| visit.call(value)),
            Self::Any
            | Self::String
            | Self::Int
            | Self::Float
            | Self::Boolean
            | Self::Null
            | Self::Definition(_) => Ok(()),
        }
    }
}

/// What is built by a tag.
pub struct Tagged {
    /// Its number among the choices by tag of the plan.
    pub place: usize,
    pub key: Box<[u8]>,
    /// Each tag with the index of its choice.
    pub tags: Vec<(Box<[u8]>, usize)>,
    pub choices: Vec<Node>,
}

impl Tagged {
    /// What is built for a tag. `last` is where the last tag was found; it is looked at first.
    #[inline]
    pub fn choice(&self, tag: &[u8], last: &mut usize) -> Option<&Node> {
        if *self.tags[*last].0 != *tag {
            *last = self.tags.iter().position(|(other, _)| **other == *tag)?;
        }
        Some(&self.choices[self.tags[*last].1])
    }
}

/// What is built by the kind of the JSON value.
#[derive(Default)]
pub struct ByKind {
    pub string: Option<Node>,
    pub number: Option<Node>,
    pub object: Option<Node>,
    pub array: Option<Node>,
    pub boolean: Option<Node>,
    pub null: Option<Node>,
}

impl ByKind {
    fn each(&self) -> impl Iterator<Item = &Node> {
        [&self.string, &self.number, &self.object, &self.array, &self.boolean, &self.null]
            .into_iter()
            .flatten()
    }
}

/// A pydantic model.
pub struct Model {
    /// Its number among the models of the plan.
    pub place: usize,
    pub maker: Maker,
    pub fields: Vec<Field>,
    pub keys: Keys,
    /// The set of the fields that the JSON must have.
    pub required: u128,
    /// The fields of which each instance has a default of its own.
    pub factories: Vec<(usize, Factory)>,
    /// The default of each field, or None, in the order of the fields.
    pub defaults: Py<PyDict>,
    /// What becomes of members with other keys.
    pub others: Others,
    /// Whether other keys count as set fields, as in pydantic. In the SDKs' own `construct` they do not,
    /// and none may begin with an underscore.
    pub sets_extra: bool,
    /// The keys that an object must not have: with one of them it may belong to another model, or the SDK
    /// takes it for a field.
    pub refused: Vec<Box<[u8]>>,
    /// Whether keys are refused in any case. Those that are not ASCII are refused, too: no rule for their
    /// case is needed here.
    pub refuses_any_case: bool,
    /// Whether fields that are null are left out.
    pub drops_null: bool,
    /// The values of private attributes, if the model has some.
    pub private: Option<Py<PyDict>>,
    sets: Mutex<Vec<(u128, Py<PySet>)>>,
    pub values: SharedValues,
}

/// How many sets of fields are kept for a model. Most streams have two or three.
pub const MAX_SETS: usize = 16;

/// What becomes of the members of an object that are no fields of its model.
pub enum Others {
    /// They are kept, built by this.
    Kept(Node),
    Dropped,
    Refused,
}

impl Model {
    /// A new set of the names of these fields, which are given as bits.
    pub fn new_set<'py>(&self, py: Python<'py>, set: u128) -> PyResult<Bound<'py, PySet>> {
        let fields = self.fields.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1);
        PySet::new(py, fields.map(|(_, field)| &field.name))
    }

    /// The set of the names of these fields, to be copied. All streams share it, so that it stays in the
    /// processor's cache.
    pub fn shared_set<'py>(&self, py: Python<'py>, set: u128) -> PyResult<Bound<'py, PySet>> {
        // Python copies a set in the fastest way if its table has the size that a copy gets. That of a new set of
        // five names or more is larger. This is before the lock: Python code may run.
        let new = copy_of_set(&self.new_set(py, set)?)?;
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = sets.iter().find(|(bits, _)| *bits == set) {
            return Ok(names.bind(py).clone());
        }
        if sets.len() < MAX_SETS {
            sets.push((set, new.clone().unbind()));
        }
        Ok(new)
    }

    /// The index of the field with this name.
    pub fn place_of(&self, py: Python<'_>, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name.bind(py) == name)
    }

    /// Whether an object must not have this key.
    pub fn refuses(&self, key: &[u8]) -> bool {
        if self.refuses_any_case {
            !key.is_ascii() || self.refused.iter().any(|other| other.eq_ignore_ascii_case(key))
        } else {
            self.refused.iter().any(|other| **other == *key)
        }
    }

    /// The default of a field, or None.
    pub fn default_of<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>> {
        let default = self.defaults.bind(py).get_item(self.fields[place].name.bind(py))?;
        Ok(default.unwrap_or_else(|| py.None().into_bound(py)))
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.maker.class)?;
        visit.call(&self.defaults)?;
        visit.call(&self.private)?;
        for (_, factory) in &self.factories {
            match factory {
                Factory::Call(function) => visit.call(function)?,
                Factory::Empty(maker) => visit.call(&maker.class)?,
            }
        }
        for field in &self.fields {
            field.node.traverse(visit)?;
        }
        match &self.others {
            Others::Kept(node) => node.traverse(visit),
            Others::Dropped | Others::Refused => Ok(()),
        }
    }
}

/// Makes the default of a field for an instance.
pub enum Factory {
    Call(Py<PyAny>),
    /// A model without any field.
    Empty(Maker),
}

impl Factory {
    pub fn make<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Call(function) => function.bind(py).call0(),
            Self::Empty(maker) => maker.make(PyDict::new(py), None, PySet::empty(py)?, None),
        }
    }
}

/// A field of a model.
pub struct Field {
    pub name: Py<PyString>,
    pub node: Node,
    /// Whether the same string, number or word always gives the same value.
    pub is_pure: bool,
}

/// A msgspec Struct.
pub struct Struct {
    /// Its number among the models of the plan.
    pub place: usize,
    pub layout: Layout,
    pub fields: Vec<StructField>,
    /// The keys of the fields, and then that of the tag, if there is one.
    pub keys: Keys,
    /// What the JSON has under the key of the tag.
    pub tag: Option<Box<[u8]>>,
    pub values: SharedValues,
}

impl Struct {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.layout.class)?;
        for field in &self.fields {
            field.node.traverse(visit)?;
            if let Missing::Value(value) = &field.default {
                visit.call(value)?;
            }
        }
        Ok(())
    }
}

/// A field of a Struct.
pub struct StructField {
    pub node: Node,
    pub default: Missing,
}

/// What a field holds if the JSON does not have its key.
pub enum Missing {
    Value(Py<PyAny>),
    /// An empty list of its own for each instance.
    List,
}

/// The keys of the fields of a model, in the order of the fields.
#[derive(Default)]
pub struct Keys {
    in_order: Vec<Box<[u8]>>,
    /// How they are usually written, with the colon. Those that need escapes are not known.
    written: Vec<Option<Box<[u8]>>>,
    places: HashMap<Box<[u8]>, usize>,
}

impl Keys {
    /// Adds the key of the next field. A field without one is never in the JSON.
    fn push(&mut self, key: Option<Box<[u8]>>) {
        let Some(key) = key else {
            self.written.push(None);
            return self.in_order.push(Box::default());
        };
        self.places.insert(key.clone(), self.in_order.len());
        let is_plain = key.iter().all(|byte| !matches!(byte, ..b' ' | b'"' | b'\\'));
        self.written.push(is_plain.then(|| [b"\"", &*key, b"\":"].concat().into()));
        self.in_order.push(key);
    }

    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// How the key of the field at this index is usually written, with the colon.
    #[inline]
    pub fn written(&self, place: usize) -> Option<&[u8]> {
        self.written[place].as_deref()
    }

    /// The key of the field at this index.
    #[inline]
    pub fn at(&self, place: usize) -> &[u8] {
        &self.in_order[place]
    }

    /// The index of the field with this key.
    pub fn place(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }
}

/// The name of a field, its key in JSON if it has one, what is built of its value, and its default.
type FieldPlan<'py> =
    (Bound<'py, PyString>, Option<Bound<'py, PyString>>, Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// The slot of a Struct's field, its key in JSON, what is built of its value, and its default.
type StructFieldPlan<'py> = (Bound<'py, PyAny>, Bound<'py, PyString>, Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// Reads a plan from the tuples that `ssejet.swap._plan.builder` describes it with.
#[derive(Default)]
struct Reader {
    models: usize,
    tagged: usize,
    parts: usize,
    depth: usize,
}

impl Reader {
    /// # Errors
    ///
    /// See `Plan::read`.
    fn node(&mut self, plan: &Bound<'_, PyAny>) -> PyResult<Node> {
        // A plan consists of tuples, lists and dicts. Lists and dicts can hold themselves.
        if self.depth == MAX_DEPTH || stack::left() == 0 {
            return Err(PyValueError::new_err(format!(
                "a plan that refers to itself, or is nested deeper than {MAX_DEPTH} or than the stack allows"
            )));
        }
        if self.parts == MAX_PARTS {
            return Err(PyValueError::new_err(format!("a plan of more than {MAX_PARTS} parts")));
        }
        self.parts += 1;
        self.depth += 1;
        let node = self.part(plan);
        self.depth -= 1;
        node
    }

    fn part(&mut self, plan: &Bound<'_, PyAny>) -> PyResult<Node> {
        let plan = plan.cast::<PyTuple>()?;
        let kind: String = plan.get_item(0)?.extract()?;
        let argument = |place| plan.get_item(place);
        Ok(match &*kind {
            "any" => Node::Any,
            "str" => Node::String,
            "int" => Node::Int,
            "float" => Node::Float,
            "bool" => Node::Boolean,
            "null" => Node::Null,
            "literal" => {
                let values: Vec<Bound<'_, PyString>> = argument(1)?.extract()?;
                let bytes = values.iter().map(bytes).collect::<PyResult<_>>()?;
                Node::Literal(values.into_iter().map(|value| value.into_any().unbind()).collect(), bytes)
            }
            "enum" => {
                let members = argument(1)?;
                let members = members.cast::<PyDict>()?.iter();
                let members = members.map(|(value, member)| Ok((member.unbind(), bytes(value.cast()?)?)));
                let (members, bytes) = members.collect::<PyResult<Vec<_>>>()?.into_iter().unzip();
                Node::Literal(members, bytes)
            }
            "nullable" => Node::Nullable(self.boxed(&argument(1)?)?),
            "either" => Node::Either(Box::new([self.node(&argument(1)?)?, self.node(&argument(2)?)?])),
            "list" => Node::List(self.boxed(&argument(1)?)?),
            "dict" => Node::Dict(self.boxed(&argument(1)?)?),
            "model" => Node::Model(Box::new(self.model(plan)?)),
            "struct" => Node::Struct(Box::new(self.structure(plan)?)),
            "tagged" => Node::Tagged(self.tagged(plan)?),
            "by kind" => Node::ByKind(Box::new(self.by_kind(argument(1)?.cast()?)?)),
            "call" => Node::Call(argument(1)?.unbind()),
            "definition" => Node::Definition(argument(1)?.extract()?),
            _ => return Err(PyValueError::new_err(format!("unknown kind of plan: {kind:?}"))),
        })
    }

    fn boxed(&mut self, plan: &Bound<'_, PyAny>) -> PyResult<Box<Node>> {
        self.node(plan).map(Box::new)
    }

    fn tagged(&mut self, plan: &Bound<'_, PyTuple>) -> PyResult<Tagged> {
        let key = bytes(plan.get_item(1)?.cast()?)?;
        let place = self.tagged;
        self.tagged += 1;
        let tags = plan.get_item(2)?.cast::<PyDict>()?.iter();
        let tags = tags.map(|(tag, choice)| Ok((bytes(tag.cast()?)?, choice.extract()?)));
        let tags = tags.collect::<PyResult<Vec<(_, usize)>>>()?;
        let choices: Vec<Bound<'_, PyAny>> = plan.get_item(3)?.extract()?;
        let choices = choices.iter().map(|choice| self.node(choice)).collect::<PyResult<Vec<_>>>()?;
        if tags.is_empty() || tags.iter().any(|&(_, choice)| choice >= choices.len()) {
            return Err(PyValueError::new_err("a tag of a choice that there is not, or no tag at all"));
        }
        Ok(Tagged { place, key, tags, choices })
    }

    fn by_kind(&mut self, plans: &Bound<'_, PyDict>) -> PyResult<ByKind> {
        let mut nodes = ByKind::default();
        for (kind, plan) in plans {
            let node = self.node(&plan)?;
            let kind: String = kind.extract()?;
            *match &*kind {
                "string" => &mut nodes.string,
                "number" => &mut nodes.number,
                "object" => &mut nodes.object,
                "array" => &mut nodes.array,
                "boolean" => &mut nodes.boolean,
                "null" => &mut nodes.null,
                _ => return Err(PyValueError::new_err(format!("unknown kind of value: {kind:?}"))),
            } = Some(node);
        }
        Ok(nodes)
    }

    /// Reads `("model", class, fields, others, sets_extra, refused, options, private)`, of which the last three
    /// may be absent. Each field is `(name, key, plan, default)` and a default `("value", …)`, `("factory", …)`,
    /// `("empty", class)` or `("required",)`. `others` is a plan, `("refuse",)`, or None if they are dropped;
    /// options are `"any case"` and `"without null"`; `private` has the values of private attributes, or is
    /// None.
    fn model(&mut self, plan: &Bound<'_, PyTuple>) -> PyResult<Model> {
        let py = plan.py();
        let plans: Vec<FieldPlan<'_>> = plan.get_item(2)?.extract()?;
        if plans.len() > MAX_FIELDS {
            return Err(PyValueError::new_err("a model of too many fields"));
        }
        let place = self.models;
        self.models += 1;
        let defaults = PyDict::new(py);
        let options: Vec<String> =
            plan.get_item(6).map_or_else(|_| Ok(Vec::new()), |given| given.extract())?;
        let has = |option| options.iter().any(|other| other == option);
        let mut model = Model {
            place,
            maker: Maker::new(plan.get_item(1)?.cast::<PyType>()?)?,
            fields: Vec::new(),
            keys: Keys::default(),
            required: 0,
            factories: Vec::new(),
            defaults: defaults.clone().unbind(),
            others: self.others(&plan.get_item(3)?)?,
            refuses_any_case: has("any case"),
            drops_null: has("without null"),
            private: match plan.get_item(7) {
                Ok(given) if !given.is_none() => Some(given.cast_into::<PyDict>()?.unbind()),
                _ => None,
            },
            sets: Mutex::default(),
            values: SharedValues::default(),
            sets_extra: plan.get_item(4)?.extract()?,
            refused: match plan.get_item(5) {
                Ok(keys) => {
                    let keys: Vec<Bound<'_, PyString>> = keys.extract()?;
                    keys.iter().map(bytes).collect::<PyResult<_>>()?
                }
                Err(_) => Vec::new(),
            },
        };
        for (place, (name, key, field, default)) in plans.into_iter().enumerate() {
            let name = PyString::intern(py, name.to_str()?);
            let kind: String = default.get_item(0)?.extract()?;
            let mut value = py.None().into_bound(py);
            match &*kind {
                "value" => value = default.get_item(1)?,
                "factory" => model.factories.push((place, Factory::Call(default.get_item(1)?.unbind()))),
                "empty" => {
                    let maker = Maker::new(default.get_item(1)?.cast::<PyType>()?)?;
                    model.factories.push((place, Factory::Empty(maker)));
                }
                _ => model.required |= 1 << place,
            }
            defaults.set_item(&name, value)?;
            model.keys.push(key.as_ref().map(bytes).transpose()?);
            let node = self.node(&field)?;
            model.fields.push(Field { name: name.unbind(), is_pure: node.is_pure(), node });
        }
        Ok(model)
    }

    fn others(&mut self, plan: &Bound<'_, PyAny>) -> PyResult<Others> {
        if plan.is_none() {
            return Ok(Others::Dropped);
        }
        let kind: String = plan.cast::<PyTuple>()?.get_item(0)?.extract()?;
        if kind == "refuse" { Ok(Others::Refused) } else { Ok(Others::Kept(self.node(plan)?)) }
    }

    /// Reads `("struct", class, fields, text_slot, tag)`, each field being `(slot, key, plan, default)` and a
    /// default `("value", …)` or `("list",)`. The slots are the descriptors of the members; `text_slot`, or
    /// None, is the one for what an instance was made from. The tag is a pair of its key and value; it may be
    /// absent.
    fn structure(&mut self, plan: &Bound<'_, PyTuple>) -> PyResult<Struct> {
        let plans: Vec<StructFieldPlan<'_>> = plan.get_item(2)?.extract()?;
        if plans.len() > MAX_FIELDS {
            return Err(PyValueError::new_err("a Struct of too many fields"));
        }
        let place = self.models;
        self.models += 1;
        let slots: Vec<_> = plans.iter().map(|(slot, ..)| slot.clone()).collect();
        let layout = Layout::new(plan.get_item(1)?.cast::<PyType>()?, &slots, &plan.get_item(3)?)?;
        let mut fields = Vec::new();
        let mut keys = Keys::default();
        for (_, key, field, default) in plans {
            let kind: String = default.get_item(0)?.extract()?;
            let default = match &*kind {
                "list" => Missing::List,
                _ => Missing::Value(default.get_item(1)?.unbind()),
            };
            keys.push(Some(bytes(&key)?));
            fields.push(StructField { node: self.node(&field)?, default });
        }
        let tag = match plan.get_item(4) {
            Ok(tag) => {
                let (key, value): (Bound<'_, PyString>, Bound<'_, PyString>) = tag.extract()?;
                keys.push(Some(bytes(&key)?));
                Some(bytes(&value)?)
            }
            Err(_) => None,
        };
        Ok(Struct { place, layout, fields, keys, tag, values: SharedValues::default() })
    }
}

/// Makes sure that building always ends. A definition must not lead back to itself, or through too many
/// others, before a JSON value is read.
///
/// # Errors
///
/// `ValueError`: one does.
fn check_definitions(definitions: &[Node]) -> PyResult<()> {
    // The length of the longest chain from each definition, itself included; `None` is not known yet.
    let mut lengths = vec![None; definitions.len()];
    // Every chain is checked from its first member, so each check only needs this depth.
    for start in 0..definitions.len() {
        chain_length(definitions, start, &mut lengths, 0)?;
    }
    Ok(())
}

fn chain_length(
    definitions: &[Node],
    place: usize,
    lengths: &mut [Option<usize>],
    depth: usize,
) -> PyResult<usize> {
    let too_long = || {
        PyValueError::new_err(format!(
            "definition {place} of a plan refers to itself, or to more than {MAX_DEPTH} others in a row, \
             without any JSON value in between"
        ))
    };
    // A definition that does not exist refuses every value.
    let Some(&known) = lengths.get(place) else { return Ok(0) };
    if let Some(length) = known {
        return Ok(length);
    }
    if depth == MAX_DEPTH {
        return Err(too_long());
    }
    let mut longest = 0;
    let mut next = Vec::new();
    definitions[place].next_definitions(&mut next);
    for other in next {
        longest = longest.max(chain_length(definitions, other, lengths, depth + 1)?);
    }
    if longest == MAX_DEPTH {
        return Err(too_long());
    }
    lengths[place] = Some(longest + 1);
    Ok(longest + 1)
}

fn bytes(text: &Bound<'_, PyString>) -> PyResult<Box<[u8]>> {
    Ok(text.to_str()?.as_bytes().into())
}
