//! What to build, and from which JSON.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::object::Maker;

/// How many fields a model may have: a set of them is kept as an integer.
const MAX_FIELDS: usize = 128;

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
    /// One of some strings.
    Literal(Vec<Py<PyString>>, Vec<Box<[u8]>>),
    Nullable(Box<Node>),
    List(Box<Node>),
    Dict(Box<Node>),
    Model(Box<Model>),
    /// An object, by the string that it has for a key.
    Tagged(Tagged),
    /// One for each kind of JSON value.
    ByKind(Box<ByKind>),
    /// What a function makes of the value.
    Call(Py<PyAny>),
    /// One of the plan's definitions.
    Definition(usize),
}

pub struct Tagged {
    /// Its place among those of the plan.
    pub place: usize,
    pub key: Box<[u8]>,
    pub tags: Vec<(Box<[u8]>, usize)>,
    pub choices: Vec<Node>,
}

impl Tagged {
    /// What is built for a tag, looking first where it was found the last time.
    #[inline]
    pub fn choice(&self, tag: &[u8], last: &mut usize) -> Option<&Node> {
        if *self.tags[*last].0 != *tag {
            *last = self.tags.iter().position(|(other, _)| **other == *tag)?;
        }
        Some(&self.choices[self.tags[*last].1])
    }
}

#[derive(Default)]
pub struct ByKind {
    pub string: Option<Node>,
    pub number: Option<Node>,
    pub object: Option<Node>,
    pub array: Option<Node>,
    pub boolean: Option<Node>,
    pub null: Option<Node>,
}

pub struct Model {
    /// Its place among the models of the plan.
    pub place: usize,
    pub maker: Maker,
    pub fields: Vec<Field>,
    places: HashMap<Box<[u8]>, usize>,
    /// The fields that must be there.
    pub required: u128,
    /// The fields whose defaults are made anew each time.
    pub factories: Vec<(usize, Py<PyAny>)>,
    /// The values that the fields have by default, or None, in the order of the fields.
    pub defaults: Py<PyDict>,
    pub extra: Node,
    /// Extra fields count among those set, as pydantic has it. Otherwise it is as the SDKs have it:
    /// they do not, and none may begin with an underscore.
    pub sets_extra: bool,
}

impl Model {
    /// The field of a key.
    pub fn place(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }
}

pub struct Field {
    pub name: Py<PyString>,
    pub key: Box<[u8]>,
    pub node: Node,
}

/// The name of a field, its key in JSON, what is built of its value, and its default.
type FieldPlan<'py> = (Bound<'py, PyString>, Bound<'py, PyString>, Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// Reads a plan from the tuples that `ssejet.swap.builder` describes it with.
#[derive(Default)]
pub struct Reader {
    pub models: usize,
    pub tagged: usize,
}

impl Reader {
    /// # Errors
    ///
    /// `TypeError` or `ValueError`: it is no plan.
    pub fn node(&mut self, plan: &Bound<'_, PyAny>) -> PyResult<Node> {
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
                Node::Literal(values.into_iter().map(Bound::unbind).collect(), bytes)
            }
            "nullable" => Node::Nullable(self.boxed(&argument(1)?)?),
            "list" => Node::List(self.boxed(&argument(1)?)?),
            "dict" => Node::Dict(self.boxed(&argument(1)?)?),
            "model" => Node::Model(Box::new(self.model(plan)?)),
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

    /// Reads `("model", class, fields, extra, sets_extra)`, each field being
    /// `(name, key, plan, default)` and a default `("value", …)`, `("factory", …)` or `("required",)`.
    fn model(&mut self, plan: &Bound<'_, PyTuple>) -> PyResult<Model> {
        let py = plan.py();
        let plans: Vec<FieldPlan<'_>> = plan.get_item(2)?.extract()?;
        if plans.len() > MAX_FIELDS {
            return Err(PyValueError::new_err("a model of too many fields"));
        }
        let place = self.models;
        self.models += 1;
        let defaults = PyDict::new(py);
        let mut model = Model {
            place,
            maker: Maker::new(plan.get_item(1)?.cast::<PyType>()?)?,
            fields: Vec::new(),
            places: HashMap::new(),
            required: 0,
            factories: Vec::new(),
            defaults: defaults.clone().unbind(),
            extra: self.node(&plan.get_item(3)?)?,
            sets_extra: plan.get_item(4)?.extract()?,
        };
        for (place, (name, key, field, default)) in plans.into_iter().enumerate() {
            let name = PyString::intern(py, name.to_str()?);
            let kind: String = default.get_item(0)?.extract()?;
            let mut value = py.None().into_bound(py);
            match &*kind {
                "value" => value = default.get_item(1)?,
                "factory" => model.factories.push((place, default.get_item(1)?.unbind())),
                _ => model.required |= 1 << place,
            }
            defaults.set_item(&name, value)?;
            let key = bytes(&key)?;
            model.places.insert(key.clone(), place);
            model.fields.push(Field { name: name.unbind(), key, node: self.node(&field)? });
        }
        Ok(model)
    }
}

fn bytes(text: &Bound<'_, PyString>) -> PyResult<Box<[u8]>> {
    Ok(text.to_str()?.as_bytes().into())
}
