//! Builds objects from JSON, as a plan says.

use std::borrow::Cow;
use std::mem;
use std::slice;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySet, PyString};

use super::cursor::{Cursor, Kind, Number, Refused};
use super::layout::Instance;
use super::maker::copy_of_set;
use super::opening::Opening;
use super::plan::{Keys, MAX_SETS, Missing, Model, Node, Others, Plan, Struct, Tagged};
use super::stamp::Stamp;
use crate::errors::Stop;
use crate::footprint::Footprint;
use crate::shape_hash::{ShapeHash, kind};
use crate::stack;
use crate::text::text;

/// Integers below this become floats without loss. The SDKs keep larger ones as integers.
const EXACT: i64 = 1 << 53;

impl From<Refused> for Stop {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}

/// Marks the end of a Struct in a shape.
const END: u64 = u64::MAX;

/// Marks a tag in a shape, in place of the kind of a value.
const TAG: u64 = 0xff;

/// How often the text of a field's value may change before it is no longer kept.
const MAX_CHANGES: u8 = 8;

/// Longer texts are not kept.
const MAX_KEPT: usize = 256;

/// What the earlier items of a stream looked like. Most later ones look the same.
pub struct Memory {
    models: Vec<ModelMemory>,
    /// Where the last tag of each choice by tag was found.
    choices: Vec<usize>,
    /// What the last items are made of, if anything asks for it.
    built: Option<Footprint>,
}

/// What earlier objects of a model looked like.
#[derive(Default)]
struct ModelMemory {
    /// Sets of fields, as bits and as the names.
    sets: Vec<(u128, Py<PySet>)>,
    /// The indices of the fields, in the order of the JSON.
    order: Vec<usize>,
    repeated: Repeated,
}

/// The values that most objects of a model have in common, such as the ID of a completion. An object that has
/// the same texts takes these values over, without parsing them and without making new ones.
#[derive(Default)]
struct Repeated {
    /// The defaults of the fields, with the values of those in `kept`.
    values: Option<Py<PyDict>>,
    /// The set of the fields whose value and text are kept.
    kept: u128,
    /// What is known of each field.
    fields: Vec<KeptText>,
    /// The texts of the values that are kept. They are in one place, for few cache lines.
    texts: Vec<u8>,
    /// How often this changed. An object that was begun before a change does not use it any more.
    version: usize,
}

impl ModelMemory {
    fn add_footprint(&self, py: Python<'_>, footprint: &mut Footprint) {
        footprint.add_items(slice::from_ref(self));
        footprint.add_items(&self.order);
        for (_, names) in &self.sets {
            footprint.add_set(names.bind(py));
        }
        self.repeated.add_footprint(py, footprint);
    }
}

/// The text of a field's value.
#[derive(Clone, Copy, Default)]
struct KeptText {
    start: u32,
    length: u16,
    /// How often it changed.
    changes: u8,
}

impl Repeated {
    /// The text of the value of a field that is kept.
    #[inline]
    fn text(&self, place: usize) -> &[u8] {
        let KeptText { start, length, .. } = self.fields[place];
        &self.texts[start as usize..][..usize::from(length)]
    }

    fn add_footprint(&self, py: Python<'_>, footprint: &mut Footprint) {
        footprint.add_items(&self.fields);
        footprint.add_items(&self.texts);
        if let Some(values) = &self.values {
            let values = values.bind(py);
            footprint.add_dict(values);
            for (_, value) in values {
                footprint.add_memory(value.as_ptr(), 1); // its number of references
            }
        }
    }

    /// Whether the value of a field can be kept: it is made of one token, and it is immutable.
    fn accepts(text: &[u8], value: &Bound<'_, PyAny>) -> bool {
        text.len() <= MAX_KEPT
            && (value.is_none()
                || value.is_exact_instance_of::<PyString>()
                || value.is_exact_instance_of::<PyInt>()
                || value.is_exact_instance_of::<PyFloat>()
                || value.is_exact_instance_of::<PyBool>())
    }

    /// Keeps a value. The field at this place has changed, or is new.
    fn keep(&mut self, model: &Model, place: usize, text: &[u8], value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        if self.values.is_none() {
            self.values = Some(model.defaults.bind(py).copy()?.unbind());
            self.fields.resize(model.fields.len(), KeptText::default());
        }
        let Some(values) = &self.values else { return Ok(()) };
        let (values, name) = (values.bind(py), model.fields[place].name.bind(py));
        self.version += 1;
        let field = &mut self.fields[place];
        field.changes += 1;
        if field.changes < MAX_CHANGES {
            values.set_item(name, model.values.shared(place, value.clone()))?;
            if text.len() > usize::from(field.length) {
                // The few bytes of the shorter text stay unused.
                field.start = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
                self.texts.extend_from_slice(text);
            } else {
                self.texts[field.start as usize..][..text.len()].copy_from_slice(text);
            }
            field.length = u16::try_from(text.len()).unwrap_or(0); // at most MAX_KEPT
            self.kept |= 1 << place;
        } else {
            values.set_item(name, model.default_of(py, place)?)?;
            self.kept &= !(1 << place);
        }
        Ok(())
    }
}

impl Memory {
    pub fn new(plan: &Plan) -> Self {
        let models = (0..plan.models).map(|_| ModelMemory::default()).collect();
        Self { models, choices: vec![0; plan.tagged], built: None }
    }

    /// Gives the footprint of the items that were built since the last call, and uses this one for the next
    /// items. The first call gives nothing.
    pub fn exchange_footprint(&mut self, footprint: &mut Footprint) {
        let built = self.built.get_or_insert_default();
        mem::swap(built, footprint);
        built.clear();
    }

    /// Adds the memory that the next item will touch.
    pub fn add_footprint(&self, py: Python<'_>, footprint: &mut Footprint) {
        for model in self.models.iter().filter(|model| !model.order.is_empty()) {
            model.add_footprint(py, footprint);
        }
    }
}

/// Builds an item of a stream.
pub struct Builder<'py, 'a> {
    py: Python<'py>,
    plan: &'a Plan,
    memory: &'a mut Memory,
    /// The key by which the SDK knows an error. Nothing is built of an object in which its value is true.
    error_key: Option<&'a [u8]>,
    /// The address at which the stack gets short. Nothing is built of JSON that is nested deeper.
    floor: usize,
    /// The shape of the Structs that were built.
    shape: ShapeHash,
}

type Built<'py> = Result<Bound<'py, PyAny>, Stop>;

/// What an instance of a model is made of.
struct Parts<'py> {
    values: Bound<'py, PyDict>,
    /// The members that are no fields, if they are kept.
    extra: Option<Bound<'py, PyDict>>,
    /// The set of the fields that the JSON has.
    set: u128,
}

impl<'py, 'a> Builder<'py, 'a> {
    #[inline]
    pub fn new(py: Python<'py>, plan: &'a Plan, memory: &'a mut Memory, error_key: Option<&'a [u8]>) -> Self {
        Self { py, plan, memory, error_key, floor: stack::floor(), shape: ShapeHash::default() }
    }

    /// Refuses to nest deeper than the stack allows.
    #[inline]
    fn check_stack(&self) -> Result<(), Refused> {
        if stack::here() < self.floor { Err(Refused) } else { Ok(()) }
    }

    /// Builds an item.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    #[inline]
    pub fn item(&mut self, data: &[u8]) -> Built<'py> {
        let plan = self.plan;
        self.whole(&plan.root, data)
    }

    /// Builds an item, and gives a field the value that all items of the stream have there.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    #[inline]
    pub fn stamped(&mut self, data: &[u8], stamp: &Stamp) -> Built<'py> {
        let plan = self.plan;
        let Node::Model(model) = &plan.root else { return Err(Stop::Refused) };
        let mut cursor = Cursor::new(data);
        let Parts { values, extra, set } = self.parts(model, &mut cursor)?;
        cursor.end()?;
        let name = model.fields[stamp.place].name.bind(self.py);
        values.set_item(name, stamp.value(self.py).map_err(Stop::Error)?).map_err(Stop::Error)?;
        self.instance(model, values, extra, set | 1 << stamp.place)
    }

    /// Builds an item of the fields `data`, which holds the event's data, and `event`, its type.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    pub fn wrapped(&mut self, event_type: &[u8], data: &[u8]) -> Built<'py> {
        let plan = self.plan;
        let Node::Tagged(tagged) = &plan.root else { return Err(Stop::Refused) };
        let last = &mut self.memory.choices[tagged.place];
        let Some(Node::Model(model)) = tagged.choice(event_type, last) else { return Err(Stop::Refused) };
        let event_place = model.keys.place(&tagged.key).ok_or(Refused)?;
        let data_place = model.keys.place(b"data").ok_or(Refused)?;
        let values = model.defaults.bind(self.py).copy().map_err(Stop::Error)?;
        let data = self.whole(&model.fields[data_place].node, data)?;
        let event_type = self.text(event_type)?;
        for (place, value) in [(data_place, data), (event_place, event_type.into_any())] {
            values.set_item(model.fields[place].name.bind(self.py), value).map_err(Stop::Error)?;
        }
        let extra = Self::kept(self.py, model);
        self.instance(model, values, extra, 1 << data_place | 1 << event_place)
    }

    /// Builds an item of the fields `data`, which holds the event's data, and `event`, its type, if the model
    /// has it. It does what is done for an object of these two members.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    pub fn envelope(&mut self, event_type: Option<&[u8]>, data: &[u8]) -> Built<'py> {
        let plan = self.plan;
        let Node::Model(model) = &plan.root else { return Err(Stop::Refused) };
        let data_place = model.keys.place(b"data").ok_or(Refused)?;
        let mut set = 1 << data_place;
        let values = model.defaults.bind(self.py).copy().map_err(Stop::Error)?;
        if let Some(place) = model.keys.place(b"event") {
            let event_type = self.of_text(&model.fields[place].node, event_type.ok_or(Refused)?)?;
            values.set_item(model.fields[place].name.bind(self.py), event_type).map_err(Stop::Error)?;
            set |= 1 << place;
        }
        let mut cursor = Cursor::inside_object(data);
        let data = self.build(&model.fields[data_place].node, &mut cursor)?;
        cursor.end()?;
        values.set_item(model.fields[data_place].name.bind(self.py), data).map_err(Stop::Error)?;
        let extra = Self::kept(self.py, model);
        self.instance(model, values, extra, set)
    }

    /// Builds a value of a string that is not written as JSON.
    fn of_text(&mut self, node: &Node, bytes: &[u8]) -> Built<'py> {
        match node {
            Node::Any | Node::String => self.text(bytes).map(Bound::into_any),
            Node::Literal(values, texts) => {
                let place = texts.iter().position(|text| **text == *bytes).ok_or(Refused)?;
                Ok(values[place].bind(self.py).clone().into_any())
            }
            Node::Nullable(node) => self.of_text(node, bytes),
            Node::Either(nodes) => match self.of_text(&nodes[0], bytes) {
                Err(Stop::Refused) => self.of_text(&nodes[1], bytes),
                built => built,
            },
            Node::ByKind(nodes) => self.of_text(nodes.string.as_ref().ok_or(Refused)?, bytes),
            Node::Call(function) => {
                let value = self.text(bytes)?;
                function.bind(self.py).call1((value,)).map_err(|error| Stop::of(self.py, error))
            }
            Node::Definition(place) => {
                let plan = self.plan;
                self.of_text(plan.definitions.get(*place).ok_or(Refused)?, bytes)
            }
            _ => Err(Stop::Refused),
        }
    }

    /// Builds one value of the whole text.
    #[inline]
    fn whole(&mut self, node: &Node, data: &[u8]) -> Built<'py> {
        let mut cursor = Cursor::new(data);
        let value = self.build(node, &mut cursor)?;
        cursor.end()?;
        Ok(value)
    }

    #[inline]
    fn build(&mut self, node: &Node, cursor: &mut Cursor<'_>) -> Built<'py> {
        match node {
            Node::Any => self.any(cursor),
            Node::String => self.string(cursor),
            Node::Int => match cursor.number()? {
                Number::Int(value) => Ok(PyInt::new(self.py, value).into_any()),
                Number::Float(_) => Err(Stop::Refused),
            },
            Node::Float => match cursor.number()? {
                // For a number that is too large, some readers give infinity, and others refuse.
                Number::Float(value) if value.is_infinite() => Err(Stop::Refused),
                Number::Float(value) => Ok(PyFloat::new(self.py, value).into_any()),
                // Integers in this range are exact.
                #[allow(clippy::cast_precision_loss)]
                Number::Int(value) if value.abs() < EXACT => {
                    Ok(PyFloat::new(self.py, value as f64).into_any())
                }
                Number::Int(_) => Err(Stop::Refused),
            },
            Node::Boolean => self.boolean(cursor),
            Node::Null => self.null(cursor),
            Node::Literal(values, bytes) => {
                let string = cursor.string()?;
                let place = bytes.iter().position(|value| **value == *string).ok_or(Refused)?;
                Ok(values[place].bind(self.py).clone())
            }
            Node::Nullable(node) => {
                if cursor.is_null()? {
                    self.null(cursor)
                } else {
                    self.build(node, cursor)
                }
            }
            Node::Either(nodes) => {
                let start = *cursor;
                match self.build(&nodes[0], cursor) {
                    Err(Stop::Refused) => {
                        *cursor = start;
                        self.build(&nodes[1], cursor)
                    }
                    built => built,
                }
            }
            Node::List(node) => self.list(node, cursor),
            Node::Dict(node) => self.dict(node, cursor),
            Node::Model(model) => self.model(model, cursor),
            Node::Struct(model) => self.structure(model, cursor),
            Node::Tagged(tagged) => {
                let tag = find_tag(tagged, *cursor)?;
                let choice = tagged.choice(&tag, &mut self.memory.choices[tagged.place]);
                self.build(choice.ok_or(Refused)?, cursor)
            }
            Node::ByKind(nodes) => {
                let node = match cursor.kind()? {
                    Kind::String => &nodes.string,
                    Kind::Number => &nodes.number,
                    Kind::Object => &nodes.object,
                    Kind::Array => &nodes.array,
                    Kind::Boolean => &nodes.boolean,
                    Kind::Null => &nodes.null,
                };
                self.build(node.as_ref().ok_or(Refused)?, cursor)
            }
            Node::Call(function) => {
                let value = self.any(cursor)?;
                function.bind(self.py).call1((value,)).map_err(|error| Stop::of(self.py, error))
            }
            Node::Definition(place) => {
                self.check_stack()?;
                let definitions = &self.plan.definitions;
                self.build(definitions.get(*place).ok_or(Refused)?, cursor)
            }
        }
    }

    /// Builds what `json.loads` gives.
    fn any(&mut self, cursor: &mut Cursor<'_>) -> Built<'py> {
        match cursor.kind()? {
            Kind::String => self.string(cursor),
            Kind::Number => Ok(match cursor.number()? {
                Number::Int(value) => PyInt::new(self.py, value).into_any(),
                Number::Float(value) => PyFloat::new(self.py, value).into_any(),
            }),
            Kind::Object => self.dict(&Node::Any, cursor),
            Kind::Array => self.list(&Node::Any, cursor),
            Kind::Boolean => self.boolean(cursor),
            Kind::Null => self.null(cursor),
        }
    }

    #[inline]
    fn string(&mut self, cursor: &mut Cursor<'_>) -> Built<'py> {
        let bytes = cursor.string()?;
        let text = self.text(&bytes)?.into_any();
        self.note(|built| built.add_memory(text.as_ptr(), 1));
        Ok(text)
    }

    /// Notes what is built, for the footprint.
    #[inline]
    fn note(&mut self, add: impl FnOnce(&mut Footprint)) {
        if let Some(built) = &mut self.memory.built {
            add(built);
        }
    }

    #[inline]
    fn text(&mut self, bytes: &[u8]) -> Result<Bound<'py, PyString>, Stop> {
        text(self.py, bytes).map_err(Stop::Error)
    }

    fn boolean(&mut self, cursor: &mut Cursor<'_>) -> Built<'py> {
        Ok(PyBool::new(self.py, cursor.boolean()?).to_owned().into_any())
    }

    fn null(&mut self, cursor: &mut Cursor<'_>) -> Built<'py> {
        cursor.null()?;
        Ok(self.py.None().into_bound(self.py))
    }

    fn list(&mut self, node: &Node, cursor: &mut Cursor<'_>) -> Built<'py> {
        self.check_stack()?;
        let list = PyList::empty(self.py);
        cursor.array(|cursor| {
            let item = self.build(node, cursor)?;
            list.append(item).map_err(Stop::Error)
        })?;
        self.note(|built| built.add_list(&list));
        self.shape.add(list.is_empty().into());
        Ok(list.into_any())
    }

    fn dict(&mut self, node: &Node, cursor: &mut Cursor<'_>) -> Built<'py> {
        self.check_stack()?;
        let dict = PyDict::new(self.py);
        cursor.object(|cursor, key| {
            let key = self.text(&key)?;
            let value = self.build(node, cursor)?;
            dict.set_item(key, value).map_err(Stop::Error)
        })?;
        Ok(dict.into_any())
    }

    fn model(&mut self, model: &Model, cursor: &mut Cursor<'_>) -> Built<'py> {
        let Parts { values, extra, set } = self.parts(model, cursor)?;
        self.instance(model, values, extra, set)
    }

    /// Reads an object of which an instance of a model is made.
    #[inline]
    fn parts(&mut self, model: &Model, cursor: &mut Cursor<'_>) -> Result<Parts<'py>, Stop> {
        self.check_stack()?;
        let py = self.py;
        let repeated = &self.memory.models[model.place].repeated;
        let (kept, version) = (repeated.kept, repeated.version);
        let start = repeated.values.as_ref().unwrap_or(&model.defaults);
        let values = start.bind(py).copy().map_err(Stop::Error)?;
        let extra = Self::kept(py, model);
        let mut set = 0;
        let mut count = 0;
        cursor.members(|cursor| {
            let place = match self.expected(model.place, count) {
                Some(place) if model.keys.written(place).is_some_and(|key| cursor.take_key(key)) => place,
                _ => {
                    let key = cursor.key()?;
                    match self.place(model.place, &model.keys, count, &key) {
                        Some(place) => place,
                        None => return self.other(model, extra.as_ref(), &key, cursor),
                    }
                }
            };
            let field = &model.fields[place];
            let this: u128 = 1 << place;
            let is_new = set & this == 0;
            if model.drops_null && cursor.is_null()? {
                // A repeated key would have to take back its value.
                return if is_new { cursor.null().map_err(Stop::from) } else { Err(Stop::Refused) };
            }
            set |= this;
            count += 1;
            if is_new && kept & this != 0 {
                let repeated = &self.memory.models[model.place].repeated;
                if repeated.version == version && cursor.token(repeated.text(place)) {
                    return Ok(());
                }
            }
            let start = *cursor;
            let value = self.build(&field.node, cursor)?;
            self.check(model.keys.at(place), &value, cursor)?;
            values.set_item(field.name.bind(py), &value).map_err(Stop::Error)?;
            if field.is_pure {
                self.keep(model, place, cursor.since(&start), &value)?;
            }
            Ok(())
        })?;
        self.reset(model, &values, kept & !set)?;
        Ok(Parts { values, extra, set })
    }

    /// A dict for the members that are no fields, if they are kept.
    #[inline]
    fn kept(py: Python<'py>, model: &Model) -> Option<Bound<'py, PyDict>> {
        matches!(model.others, Others::Kept(_)).then(|| PyDict::new(py))
    }

    /// Reads a member that is no field, and adds it to the others if they are kept.
    fn other(
        &mut self,
        model: &Model,
        extra: Option<&Bound<'py, PyDict>>,
        key: &[u8],
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Stop> {
        if model.refuses(key) {
            return Err(Stop::Refused);
        }
        match (&model.others, extra) {
            (Others::Kept(node), Some(extra)) => {
                if !model.sets_extra && key.starts_with(b"_") {
                    return Err(Stop::Refused);
                }
                let value = self.build(node, cursor)?;
                self.check(key, &value, cursor)?;
                extra.set_item(self.text(key)?, value).map_err(Stop::Error)
            }
            (Others::Dropped, _) => Ok(cursor.skip()?),
            _ => Err(Stop::Refused),
        }
    }

    /// Keeps the value of a field for the objects that follow, unless it changes too often.
    fn keep(
        &mut self,
        model: &Model,
        place: usize,
        text: &[u8],
        value: &Bound<'py, PyAny>,
    ) -> Result<(), Stop> {
        let repeated = &mut self.memory.models[model.place].repeated;
        let given_up = repeated.fields.get(place).is_some_and(|field| field.changes >= MAX_CHANGES);
        // An error is looked for in every object.
        if given_up || !Repeated::accepts(text, value) || self.error_key == Some(model.keys.at(place)) {
            return Ok(());
        }
        repeated.keep(model, place, text, value).map_err(Stop::Error)
    }

    /// Sets the fields that the JSON does not have to their defaults, in place of the kept values.
    #[inline]
    fn reset(&self, model: &Model, values: &Bound<'py, PyDict>, mut absent: u128) -> Result<(), Stop> {
        while absent != 0 {
            let place = absent.trailing_zeros() as usize;
            absent &= absent - 1;
            let default = model.default_of(self.py, place).map_err(Stop::Error)?;
            values.set_item(model.fields[place].name.bind(self.py), default).map_err(Stop::Error)?;
        }
        Ok(())
    }

    /// The index of the field that came at this point in the last object.
    #[inline]
    fn expected(&self, model: usize, count: usize) -> Option<usize> {
        self.memory.models[model].order.get(count).copied()
    }

    /// The index of the field with this key, which is not the expected one.
    fn place(&mut self, model: usize, keys: &Keys, count: usize, key: &[u8]) -> Option<usize> {
        let order = &mut self.memory.models[model].order;
        let place = keys.place(key)?;
        if let Some(known) = order.get_mut(count) {
            *known = place;
        } else if order.len() < keys.len() {
            // Without this bound, a key that is repeated would make it grow.
            order.push(place);
        }
        Some(place)
    }

    /// Builds the Struct of a whole text.
    ///
    /// Returns:
    ///     The Struct, with `source` as what it was made from, and the shape of the text.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    #[inline]
    pub fn answer(
        &mut self,
        data: &[u8],
        source: &Bound<'py, PyString>,
        opening: &mut Opening,
    ) -> Result<(Bound<'py, PyAny>, ShapeHash), Stop> {
        let plan = self.plan;
        let mut cursor = Cursor::new(data);
        let end_of_opening = opening.end_in(data);
        if end_of_opening.is_none() {
            opening.clear();
        }
        let model = match &plan.root {
            Node::Struct(model) => model,
            Node::Tagged(tagged) => {
                let last = &mut self.memory.choices[tagged.place];
                // An opening begins with the tag, so the choice is the last one.
                let choice = match end_of_opening {
                    Some(_) => Some(&tagged.choices[tagged.tags[*last].1]),
                    None => tagged.choice(&find_tag(tagged, cursor)?, last),
                };
                let Some(Node::Struct(model)) = choice else { return Err(Stop::Refused) };
                model
            }
            _ => return Err(Stop::Refused),
        };
        let mut instance = model.layout.start(self.py).map_err(Stop::Error)?;
        if let Some(start) = end_of_opening {
            let mut count = opening.fill(&mut instance);
            self.shape = opening.shape;
            cursor.rest_of_members(start, |cursor| {
                self.field(model, &mut instance, &mut count, cursor).map(drop)
            })?;
        } else {
            let mut count = 0;
            let mut is_open = true;
            cursor.members(|cursor| {
                let is_first = count == 0;
                let place = self.field(model, &mut instance, &mut count, cursor)?;
                let field = model.fields.get(place);
                is_open &= match field {
                    Some(field) => field.node.is_scalar() && !(is_first && model.tag.is_some()),
                    None => true,
                };
                if let (true, Some(end)) = (is_open, cursor.after_comma()) {
                    let value = field.map(|_| (place, model.values.shared(place, instance.get(place))));
                    opening.extend(value, &data[..end], self.shape);
                }
                Ok::<_, Stop>(())
            })?;
        }
        cursor.end()?;
        instance.set_source(source.clone());
        self.note(|built| built.add_memory(source.as_ptr(), 1));
        Ok((self.finish(model, instance), self.shape))
    }

    fn structure(&mut self, model: &Struct, cursor: &mut Cursor<'_>) -> Built<'py> {
        self.check_stack()?;
        let mut instance = model.layout.start(self.py).map_err(Stop::Error)?;
        let mut count = 0;
        cursor.members(|cursor| self.field(model, &mut instance, &mut count, cursor).map(drop))?;
        self.shape.add(END);
        Ok(self.finish(model, instance))
    }

    /// Builds a field of a Struct, at its key.
    ///
    /// Returns:
    ///     Its index. That of the tag is the number of the fields.
    #[inline]
    fn field(
        &mut self,
        model: &Struct,
        instance: &mut Instance<'py, '_>,
        count: &mut usize,
        cursor: &mut Cursor<'_>,
    ) -> Result<usize, Stop> {
        let place = match self.expected(model.place, *count) {
            Some(place) if model.keys.written(place).is_some_and(|key| cursor.take_key(key)) => place,
            _ => {
                let key = cursor.key()?;
                self.place(model.place, &model.keys, *count, &key).ok_or(Refused)?
            }
        };
        if let (Some(tag), true) = (&model.tag, place == model.fields.len()) {
            if *cursor.string()? != **tag {
                return Err(Stop::Refused);
            }
            self.shape.add((model.place as u64) << 8 | TAG);
            *count += 1;
            return Ok(place);
        }
        if instance.has(place) {
            return Err(Stop::Refused); // the key is repeated
        }
        self.shape.add((place as u64) << 8 | u64::from(kind(cursor.value()?)));
        instance.set(place, self.build(&model.fields[place].node, cursor)?);
        *count += 1;
        Ok(place)
    }

    /// Sets the fields that the JSON does not have to their defaults.
    #[inline]
    fn finish(&mut self, model: &Struct, mut instance: Instance<'py, '_>) -> Bound<'py, PyAny> {
        let py = self.py;
        for (place, field) in model.fields.iter().enumerate() {
            if !instance.has(place) {
                instance.set(
                    place,
                    match &field.default {
                        Missing::Value(value) => value.bind(py).clone(),
                        Missing::List => PyList::empty(py).into_any(),
                    },
                );
            }
        }
        let instance = instance.finish();
        self.note(|built| built.add_object(&instance));
        instance
    }

    /// Refuses an object that reports an error.
    #[inline]
    fn check(&self, key: &[u8], value: &Bound<'py, PyAny>, cursor: &Cursor<'_>) -> Result<(), Stop> {
        match self.error_key {
            Some(error_key) if *error_key == *key && cursor.is_outermost() => {
                if value.is_truthy().map_err(Stop::Error)? { Err(Stop::Refused) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Makes an instance of a model. `set` is the set of the fields that the JSON has.
    #[inline]
    fn instance(
        &mut self,
        model: &Model,
        values: Bound<'py, PyDict>,
        extra: Option<Bound<'py, PyDict>>,
        set: u128,
    ) -> Built<'py> {
        let py = self.py;
        if set & model.required != model.required {
            return Err(Stop::Refused);
        }
        for (place, factory) in &model.factories {
            if set >> place & 1 == 0 {
                let value = factory.make(py).map_err(|error| Stop::of(self.py, error))?;
                values.set_item(model.fields[*place].name.bind(py), value).map_err(Stop::Error)?;
            }
        }
        let fields_set = self.fields_set(model, set)?;
        if let (true, Some(extra)) = (model.sets_extra, &extra) {
            for (key, _) in extra {
                fields_set.add(key).map_err(Stop::Error)?;
            }
        }
        let private = model.private.as_ref().map(|private| private.bind(py).copy()).transpose();
        self.note(|built| {
            built.add_dict(&values);
            built.add_set(&fields_set);
        });
        let made = model.maker.make(values, extra, fields_set, private.map_err(Stop::Error)?);
        let instance = made.map_err(Stop::Error)?;
        self.note(|built| built.add_object(&instance));
        Ok(instance)
    }

    /// A new set of the names of the fields. Copying a known set is faster than filling one.
    fn fields_set(&mut self, model: &Model, set: u128) -> Result<Bound<'py, PySet>, Stop> {
        let py = self.py;
        let known = &mut self.memory.models[model.place].sets;
        if let Some((_, names)) = known.iter().find(|(bits, _)| *bits == set) {
            return copy_of_set(names.bind(py)).map_err(Stop::Error);
        }
        if known.len() < MAX_SETS {
            known.push((set, model.shared_set(py, set).map_err(Stop::Error)?.unbind()));
        }
        model.new_set(py, set).map_err(Stop::Error)
    }
}

/// The string under the tag's key in an object. If the first member has that key, the search ends there:
/// a second one that differs is refused later, when the literal of the choice is read. Otherwise the last one
/// counts.
fn find_tag<'a>(tagged: &Tagged, mut cursor: Cursor<'a>) -> Result<Cow<'a, [u8]>, Refused> {
    let mut found = None;
    let mut first = true;
    let mut look = |cursor: &mut Cursor<'a>, key: Cow<'a, [u8]>| {
        if *key == *tagged.key {
            found = Some(cursor.string()?);
            if first {
                return Err(Refused); // this ends the search
            }
        } else {
            cursor.skip()?;
        }
        first = false;
        Ok(())
    };
    match cursor.object(&mut look) {
        Ok(()) | Err(Refused) => found.ok_or(Refused),
    }
}
