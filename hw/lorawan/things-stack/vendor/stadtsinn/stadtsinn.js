// Stadtsinn on LoRaWAN: frames to JSON, JSON to downlinks. The format: agent/codec/WIRE.md, version 1.
//
// One ES5 script for ChirpStack v4 (strict module) and The Things Stack (sloppy script). Paste all
// of it. hw/lorawan/README.md says where, and what comes out.

// -- tables -------------------------------------------------------------------------------------

// <tables> made by "python -m hw.lorawan.generate": change hw/schemas, not these lines
var SCHEMAS = {
  0: {
    name: "health",
    columns: [
      { name: "cpu_temp", unit: "Cel", exponent: 0, multiplier: 1, nominal: 50, first: 3, next: 1 },
      { name: "undervoltage", unit: "1", exponent: 0, multiplier: 1, nominal: 0, first: 0, next: 0 },
      { name: "disk_free", unit: "MB", exponent: 0, multiplier: 1, nominal: 8000, first: 12, next: 3 },
      { name: "mem_free", unit: "MB", exponent: 0, multiplier: 1, nominal: 250, first: 6, next: 3 },
      { name: "uptime", unit: "s", exponent: 1, multiplier: 6, nominal: 0, first: 10, next: 3 },
      { name: "owed", unit: "1", exponent: 0, multiplier: 1, nominal: 0, first: 2, next: 2 },
      { name: "lost", unit: "1", exponent: 0, multiplier: 1, nominal: 0, first: 0, next: 0 },
      { name: "clock", unit: "1", exponent: 0, multiplier: 1, nominal: 3, first: 0, next: 0 },
      { name: "bad_sensors", unit: "1", exponent: 0, multiplier: 1, nominal: 0, first: 0, next: 0 },
      { name: "rssi", unit: "dB[mW]", exponent: 0, multiplier: 1, nominal: -100, first: 4, next: 2 },
      { name: "snr", unit: "dB", exponent: 0, multiplier: 1, nominal: 0, first: 3, next: 2 },
      { name: "margin", unit: "dB", exponent: 0, multiplier: 1, nominal: 10, first: 3, next: 2 },
      { name: "data_rate", unit: "1", exponent: 0, multiplier: 1, nominal: 5, first: 1, next: 0 },
      { name: "airtime", unit: "s", exponent: -1, multiplier: 1, nominal: 0, first: 6, next: 4 },
      { name: "restarts", unit: "1", exponent: 0, multiplier: 1, nominal: 0, first: 2, next: 0 },
      { name: "written", unit: "MB", exponent: 0, multiplier: 1, nominal: 20, first: 4, next: 3 },
    ],
  },
  1: {
    name: "school",
    columns: [
      { name: "temp", unit: "Cel", exponent: -2, multiplier: 1, nominal: 2000, first: 8, next: 2 },
      { name: "hum", unit: "%", exponent: -1, multiplier: 1, nominal: 450, first: 6, next: 1 },
      { name: "pres", unit: "Pa", exponent: 0, multiplier: 1, nominal: 101000, first: 9, next: 3 },
      { name: "co2", unit: "[ppm]", exponent: 0, multiplier: 1, nominal: 500, first: 7, next: 3 },
      { name: "pm25", unit: "ug/m3", exponent: -1, multiplier: 1, nominal: 80, first: 6, next: 2 },
      { name: "pm10", unit: "ug/m3", exponent: -1, multiplier: 1, nominal: 120, first: 6, next: 3 },
      { name: "lux", unit: "lx", exponent: 0, multiplier: 1, nominal: 0, first: 4, next: 2 },
      { name: "noise", unit: "dB", exponent: -1, multiplier: 1, nominal: 350, first: 5, next: 3 },
      { name: "batt", unit: "V", exponent: -2, multiplier: 1, nominal: 400, first: 3, next: 0 },
    ],
  },
};
var UNITS = {
  103: "Cel",
  104: "%",
  115: "Pa",
  125: "[ppm]",
  101: "lx",
  124: "dB",
  116: "V",
  117: "A",
  118: "Hz",
  113: "m/s2",
  130: "m",
  120: "%",
  273: "s",
  132: "deg",
  134: "deg/s",
  256: "ug/m3",
  257: "ug/m3",
  258: "ug/m3",
  259: "/dL",
  260: "um/m",
  261: "deg",
  262: "mm",
  263: "%",
  264: "mm/s",
  265: "1",
  266: "1",
  267: "1",
  268: "MB",
  269: "dB[mW]",
  270: "dB",
  271: "Ohm",
  272: "1",
  274: "1",
  275: "dB",
  276: "K/m",
  277: "K",
  278: "mm/mo",
  279: "mm/K",
  280: "deg/mo",
  281: "deg/K",
  282: "Hz/mo",
  283: "Hz/K",
};
var AIR = {
  1: {
    temp: { name: "temperature", per: 1, low: -273.15, high: 1000 },
    hum: { name: "relativeHumidity", per: 1, low: 0, high: 100 },
    pres: { name: "pressure", per: 100, low: 900, high: 1100 },
    co2: { name: "co2", per: 1, low: 0, high: 1000000 },
    lux: { name: "lightIntensity", per: 1, low: 0, high: 1000000 },
  },
};
var EVENTS = [
  "cleared",
  "above",
  "below",
  "fast change",
  "sensor failed",
  "sensor back",
  "restart",
  "opened",
  "data lost",
  "clock corrected",
  "vibration",
  "store set aside",
  "stands still",
];
var LAST_IN_STEPS = 3;
var RESULTS = [
  "done",
  "unknown command",
  "bad argument",
  "not now",
];
var HELLO = [
  "firmware",
  "boots",
  "schemas",
  "waiting",
];
// </tables>

var SHORT_SLOTS = 65536; // a slot is sent modulo this
var RAW_LIMIT = 2147483648; // |raw| stays below
var LONGEST_S = 14400; // of an interval
var DEEPEST = 5; // arrays in arrays
var TYPED_ARRAY = 85; // RFC 8746, the only tag
var LEADING = 16; // so many zero bits are the escape of a packed body
var LAST_YEAR_S = 253402300800; // year 10000
var MISSING = [null, false, true, undefined]; // by the two reason bits: none, low, high, failed
var DOWNLINK_PORT = 20;

// -- what the network server calls --------------------------------------------------------------

function decodeUplink(input) {
  return answer(function () {
    var received = input.recvTime ? Number(new Date(input.recvTime)) : Date.now();
    return frame(listOf(input.bytes), received / 1000);
  });
}

function encodeDownlink(input) {
  return answer(function () {
    var data = input.data;
    var now = Math.floor(Date.now() / 1000);
    if (!COMMANDS.hasOwnProperty(data.command)) {
      refuse("command is one of " + Object.keys(COMMANDS).join(", "));
    }
    var token = data.token === undefined ? now % SHORT_SLOTS : whole(data, "token", 0, 65535);
    var command = COMMANDS[data.command];
    return {
      fPort: DOWNLINK_PORT,
      bytes: dump([command.number, token].concat(command.put(data))),
    };
  });
}

function decodeDownlink(input) {
  return answer(function () {
    var items = load(listOf(input.bytes), false);
    if (!Array.isArray(items) || items.length < 2) refuse("a downlink has a command and a token");
    var token = uint(items[1], SHORT_SLOTS);
    var name = Object.keys(COMMANDS).filter(function (one) {
      return COMMANDS[one].number === items[0];
    })[0];
    if (name === undefined) refuse("no such command");
    var data = { command: name, token: token };
    var args = items.slice(2);
    if (args.length !== COMMANDS[name].args) refuse(name + " has other arguments");
    return { data: merged(data, COMMANDS[name].get(args)) };
  });
}

// The Things Stack only: rows of the class room's air in its common shape.
function normalizeUplink(input) {
  var names = AIR[input.data.schema] || {};
  var rows = (input.data.kind === "data" && input.data.rows) || [];
  var measured = rows.map(function (row) {
    var air = {};
    Object.keys(names).forEach(function (name) {
      var rule = names[name];
      var value = row[name] / rule.per;
      var known = typeof row[name] === "number" && value >= rule.low && value <= rule.high;
      if (known) air[rule.name] = value;
    });
    return row.time ? { time: row.time, air: air } : { air: air };
  });
  return {
    data: measured.filter(function (one) {
      return Object.keys(one.air).length > 0;
    }),
  };
}

function answer(make) {
  try {
    return make();
  } catch (error) {
    return { errors: [String(error.message)] };
  }
}

// A plain array, whatever the server keeps bytes in.
function listOf(bytes) {
  return Array.prototype.slice.call(bytes);
}

function refuse(why) {
  throw new Error(why);
}

function merged(data, more) {
  Object.keys(more).forEach(function (key) {
    data[key] = more[key];
  });
  return data;
}

// -- frames -------------------------------------------------------------------------------------

function frame(bytes, received) {
  var items = load(bytes, bytes[1] === 0x24); // -5: a raw chunk, which holds the tag
  if (!Array.isArray(items) || items.length === 0) refuse("not an array with items");
  var kind = items[0];
  if (!isInt(kind)) refuse("the first item is no number");
  if (kind >= 0) return dataFrame(items, received);
  var rest = items.slice(1);
  if (kind === -1) return { data: eventFrame(rest, received) };
  if (kind === -2) return { data: sliceFrame(rest) };
  if (kind === -3) return { data: ackFrame(rest) };
  if (kind === -4) return { data: helloFrame(rest) };
  if (kind === -5) return { data: rawFrame(rest) };
  if (kind === -6) return { data: withdrawnFrame(rest) };
  return {
    data: { kind: "unknown", number: kind },
    warnings: ["a frame of a later version: keep the bytes, update this codec"],
  };
}

function dataFrame(items, received) {
  if (items.length < 4) refuse("a data frame has at least four items");
  var number = uint(items[0], SHORT_SLOTS);
  var step = stepOf(items[2]);
  var time = timeOf(items[1], step, received);
  var body = bodyOf(items[3]);
  var omit = items.length > 4 ? uint(items[4]) : 0;
  var schema = SCHEMAS[number];
  var data = { kind: "data", schema: number, profile: schema ? schema.name : null };
  merged(data, time.told);
  data.interval_s = step;
  if (!schema) return withoutTable(data, body, omit);
  var columns = columnsLeft(schema.columns, omit);
  var cells = body instanceof Bytes ? unpacked(body.list, columns) : summed(body, columns.length);
  var rows = cells.map(function (row, k) {
    return told(row, columns, time, k);
  });
  if (rows.length > 0) {
    columns.forEach(function (column) {
      data[column.name] = rows[0][column.name];
    });
  }
  data.rows = rows.reverse();
  return { data: data };
}

function withoutTable(data, body, omit) {
  data.omit = omit;
  if (body instanceof Bytes) data.body = hex(body.list);
  else data.cells = body.map(cellInWords);
  return {
    data: data,
    warnings: ["schema " + data.schema + " is not in this codec: its numbers have no names"],
  };
}

function columnsLeft(columns, omit) {
  if (omit >= Math.pow(2, columns.length)) refuse("omit names columns that the schema has not");
  var left = columns.filter(function (column, c) {
    return Math.floor(omit / Math.pow(2, c)) % 2 === 0;
  });
  if (left.length === 0) refuse("omit names every column");
  return left;
}

// Row k, counted from the newest.
function told(cells, columns, time, k) {
  var row = time.row(k);
  var reason = {};
  columns.forEach(function (column, c) {
    row[column.name] = isInt(cells[c]) ? valueOf(column, cells[c]) : null;
    if (!isInt(cells[c]) && cells[c] !== null) reason[column.name] = cellInWords(cells[c]);
  });
  if (Object.keys(reason).length > 0) row.reason = reason;
  return row;
}

function cellInWords(cell) {
  if (cell === null || isInt(cell)) return cell;
  return cell === undefined ? "failed" : cell ? "high" : "low";
}

function valueOf(column, raw) {
  if (column.exponent < 0) return (raw * column.multiplier) / Math.pow(10, -column.exponent);
  return raw * column.multiplier * Math.pow(10, column.exponent);
}

function stepOf(item) {
  if (isInt(item) && item >= 1 && item <= LONGEST_S / 60) return item * 60;
  if (isInt(item) && item < 0 && item > -LONGEST_S && item % 60 !== 0) return -item;
  refuse("an interval is 1..240 minutes or -1..-14399 seconds");
}

function bodyOf(item) {
  if (item instanceof Bytes) {
    if (item.list.length === 0 || item.list.length > 4096) refuse("a packed body has 1..4096 bytes");
    return item;
  }
  if (!Array.isArray(item)) refuse("a body is an array or a byte string");
  item.forEach(function (cell) {
    if (!isInt(cell) && MISSING.indexOf(cell) < 0) refuse("a cell is a number or a reason");
  });
  return item;
}

// What a time item says of the newest row, and of the k-th before it.
function timeOf(item, step, received) {
  if (Array.isArray(item) && item.length === 2) {
    return ticks(uint(item[0]), uint(item[1]));
  }
  if (!isInt(item)) refuse("a time is a number or [boot, tick]");
  var now = Math.floor(received / step);
  var slot = item < 0 ? now + 1 + item : item < SHORT_SLOTS ? nearest(item, now) : item;
  var newest = slot * step;
  var row = function (k) {
    return { time: iso(newest - k * step) };
  };
  var from = { time: iso(newest), time_from: item < 0 ? "age" : "slot" };
  if (item < 0) from.age_s = (-1 - item) * step;
  return { told: from, row: row };
}

function ticks(boot, tick) {
  var row = function (k) {
    return { time: null, tick: tick - k };
  };
  return { told: { time: null, time_from: "boot", boot: boot, tick: tick }, row: row };
}

function nearest(short, now) {
  var half = SHORT_SLOTS / 2;
  var ahead = (short - now + half) % SHORT_SLOTS;
  return now + (ahead < 0 ? ahead + SHORT_SLOTS : ahead) - half;
}

function iso(unix) {
  if (!(unix >= 0 && unix < LAST_YEAR_S)) return null;
  return new Date(unix * 1000).toISOString().slice(0, 19) + "Z";
}

// -- bodies -------------------------------------------------------------------------------------

function summed(cells, width) {
  if (cells.length === 0 || cells.length % width !== 0) {
    refuse(cells.length + " cells are no rows of " + width + " columns");
  }
  var last = [];
  var rows = [];
  cells.forEach(function (cell, at) {
    var c = at % width;
    if (c === 0) rows.push([]);
    if (isInt(cell)) {
      cell = last[c] = cell + (last[c] === undefined ? 0 : last[c]);
      checkRaw(cell);
    }
    rows[rows.length - 1].push(cell);
  });
  return rows;
}

function unpacked(bytes, columns) {
  var bits = { bytes: bytes, at: 0, end: bytes.length * 8 };
  var states = columns.map(function (column) {
    return { column: column, order: column.first, last: undefined };
  });
  var rows = [];
  for (;;) {
    var row = [];
    for (var c = 0; c < states.length; c++) {
      var zeros = leadingZeros(bits);
      var width = zeros === LEADING ? 2 : zeros + states[c].order + 1;
      if (bits.at + width > bits.end) return rows; // no further code fits
      var code = takeBits(bits, width);
      row.push(zeros === LEADING ? MISSING[code] : nextRaw(states[c], code));
    }
    rows.push(row);
  }
}

function leadingZeros(bits) {
  var zeros = 0;
  while (zeros < LEADING && bits.at < bits.end && !bitAt(bits, bits.at)) {
    zeros += 1;
    bits.at += 1;
  }
  return zeros;
}

function takeBits(bits, width) {
  var number = 0; // up to 48 bits: no shifts
  for (var end = bits.at + width; bits.at < end; bits.at++) number = number * 2 + bitAt(bits, bits.at);
  return number;
}

function bitAt(bits, at) {
  return (bits.bytes[at >> 3] >> (7 - (at & 7))) & 1;
}

function nextRaw(state, code) {
  var unit = Math.pow(2, state.order);
  var zigzag = code - unit;
  var difference = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  var first = state.last === undefined;
  if (first) state.order = state.column.next;
  else if (zigzag >= 3 * unit) state.order += 1;
  else if (zigzag < Math.floor(unit / 2)) state.order -= 1;
  state.last = difference + (first ? state.column.nominal : state.last);
  checkRaw(state.last);
  return state.last;
}

function checkRaw(raw) {
  if (Math.abs(raw) >= RAW_LIMIT) refuse(raw + " is no raw value");
}

// -- messages -----------------------------------------------------------------------------------

function eventFrame(items, received) {
  if (items.length !== 4 && items.length !== 5) refuse("an event has five or six items");
  var schema = uint(items[0], SHORT_SLOTS);
  var column = items[2] === null ? null : uint(items[2]);
  var code = uint(items[3]);
  var value = items.length === 5 ? eventValue(items[4]) : null;
  var about = columnAt(schema, column);
  if (about && isInt(value) && code <= LAST_IN_STEPS) value = valueOf(about, value);
  var data = { kind: "event", schema: schema };
  merged(data, timeOf(items[1], 1, received).told);
  data.column = column;
  data.field = about ? about.name : null;
  data.code = code;
  data.event = EVENTS[code] || "unknown";
  data.value = value;
  return data;
}

function eventValue(item) {
  if (isInt(item)) return item;
  if (!Array.isArray(item) || item.length < 1 || item.length > 16 || !item.every(isInt)) {
    refuse("an event's value is a number or an array of numbers");
  }
  return item;
}

function columnAt(schema, column) {
  return SCHEMAS[schema] && column !== null ? SCHEMAS[schema].columns[column] : undefined;
}

function sliceFrame(items) {
  if (items.length < 5) refuse("a schema slice has at least six items");
  var fields = items.slice(4).map(fieldOf);
  var data = { kind: "schema", schema: uint(items[0], SHORT_SLOTS), wire: uint(items[1]) };
  data.total = uint(items[2]);
  data.first = uint(items[3]);
  if (data.first + fields.length > data.total) refuse("more fields than the schema has");
  data.fields = fields;
  return data;
}

function fieldOf(items) {
  if (!Array.isArray(items) || items.length < 5 || items.length > 7) refuse("a field has 5..7 items");
  var scaled = Array.isArray(items[1]) && items[1].length === 2;
  var field = {
    quantity: uint(items[0]),
    exponent: scaled ? items[1][0] : items[1],
    multiplier: scaled ? items[1][1] : 1,
    nominal: items[2],
    first_order: uint(items[3], 32),
    next_order: uint(items[4], 32),
    name: items.length > 5 ? items[5] : "",
  };
  var unit = UNITS[field.quantity] || "";
  field.unit = items.length > 6 ? items[6] : unit;
  var good = isInt(field.exponent) && Math.abs(field.exponent) <= 9 && isInt(field.nominal) &&
    isInt(field.multiplier) && (!scaled || (field.multiplier > 1 && field.multiplier % 10 !== 0)) &&
    typeof field.name === "string" && typeof field.unit === "string";
  if (!good) refuse("a field's items are out of their range");
  return field;
}

function ackFrame(items) {
  if (items.length < 2) refuse("an ack has a token and a result");
  var result = uint(items[1], RESULTS.length);
  return { kind: "ack", token: uint(items[0], SHORT_SLOTS), result: result, means: RESULTS[result] };
}

function helloFrame(items) {
  if (items.length !== 1 || !(items[0] instanceof Pairs)) refuse("a hello has one map");
  var data = { kind: "hello" };
  items[0].list.forEach(function (pair) {
    var key = uint(pair[0]);
    data[key < HELLO.length ? HELLO[key] : String(key)] = asJson(pair[1]);
  });
  return data;
}

// The samples stay where they are: this is for MQTT, and too long for LoRaWAN.
function rawFrame(items) {
  var samples = items.length === 6 && items[5] instanceof Tagged ? items[5].item : null;
  var rate = items[4] instanceof Real ? items[4].value : items[4];
  if (!(samples instanceof Bytes) || typeof rate !== "number") refuse("not a raw chunk");
  return {
    kind: "raw",
    record: uint(items[0]),
    chunk: uint(items[1]),
    chunks: uint(items[2]),
    start: uint(items[3]),
    rate: isFinite(rate) ? rate : null,
    bytes: samples.list.length,
  };
}

// Rows that were sent under a wrong time: mark them; one that comes for such a slot later stands.
// One whose number is not above the highest that was carried out has no effect.
function withdrawnFrame(items) {
  if (items.length !== 5) refuse("a withdrawal has six items");
  var step = stepOf(items[2]);
  var slot = uint(items[3]);
  var count = uint(items[4], 16777217);
  if (slot < SHORT_SLOTS) refuse("a withdrawal names whole slots");
  if (count === 0) refuse("a withdrawal names at least one slot");
  return {
    kind: "withdrawn",
    number: uint(items[0]),
    schema: uint(items[1], SHORT_SLOTS),
    interval_s: step,
    first: iso(slot * step),
    last: iso((slot + count - 1) * step),
    count: count,
  };
}

function asJson(item) {
  if (item === undefined) return "undefined";
  if (item instanceof Bytes) return "h'" + hex(item.list) + "'";
  if (item instanceof Real) return isFinite(item.value) ? item.value : null;
  if (Array.isArray(item)) return item.map(asJson);
  if (!(item instanceof Pairs)) return item;
  var object = {};
  item.list.forEach(function (pair) {
    var plain = typeof pair[0] === "string" || isInt(pair[0]);
    object[plain ? String(pair[0]) : "?"] = asJson(pair[1]);
  });
  return object;
}

// -- downlinks: JSON to arguments (put) and back (get) ------------------------------------------

var COMMANDS = {
  interval: {
    number: 1,
    args: 3,
    put: function (data) {
      var schema = whole(data, "schema", 0, 65535);
      return [schema, intervalItem(data), whole(data, "rows", 1, 1000)];
    },
    get: function (args) {
      var schema = uint(args[0], SHORT_SLOTS);
      return { schema: schema, interval_s: stepOf(args[1]), rows: uint(args[2]) };
    },
  },
  threshold: { number: 2, args: 4, put: thresholdArgs, get: thresholdOf },
  schema: {
    number: 3,
    args: 1,
    put: function (data) {
      return [whole(data, "schema", 0, 65535)];
    },
    get: function (args) {
      return { schema: uint(args[0], SHORT_SLOTS) };
    },
  },
  resend: { number: 4, args: 4, put: resendArgs, get: resendOf },
  hello: { number: 5, args: 0, put: noArgs, get: nothing },
  restart: { number: 7, args: 0, put: noArgs, get: nothing },
  body: {
    number: 8,
    args: 1,
    put: function (data) {
      var choice = ["plain", "packed"].indexOf(data.body);
      if (choice < 0) refuse("body is plain or packed");
      return [choice];
    },
    get: function (args) {
      return { body: ["plain", "packed"][uint(args[0], 2)] };
    },
  },
};

function noArgs() {
  return [];
}

function nothing() {
  return {};
}

// {field, above} in the unit, {column, above_raw} in steps; the same with below; null switches off.
function thresholdArgs(data) {
  var schema = whole(data, "schema", 0, 65535);
  var named = data.field !== undefined;
  var sides = named ? ["above", "below"] : ["above_raw", "below_raw"];
  var given = sides.filter(function (side) {
    return data[side] !== undefined;
  });
  if (given.length !== 1) refuse("a threshold has one of " + sides.join(", "));
  var column = named ? columnNamed(schema, data.field) : whole(data, "column", 0, 65535);
  var limit = data[given[0]];
  if (named && limit !== null) limit = rawOf(SCHEMAS[schema].columns[column], data, given[0]);
  if (limit !== null) limit = whole({ limit: limit }, "limit", 1 - RAW_LIMIT, RAW_LIMIT - 1);
  return [schema, column, sides.indexOf(given[0]) + 1, limit];
}

function thresholdOf(args) {
  var schema = uint(args[0], SHORT_SLOTS);
  var column = uint(args[1]);
  var side = { 1: "above", 2: "below" }[args[2]];
  var about = columnAt(schema, column);
  var limit = args[3];
  if (!side || (limit !== null && !isInt(limit))) refuse("a threshold is above or below a number");
  var data = { schema: schema };
  if (about) {
    data.field = about.name;
    data[side] = limit === null ? null : valueOf(about, limit);
  } else {
    data.column = column;
    data[side + "_raw"] = limit;
  }
  return data;
}

function columnNamed(schema, name) {
  var names = (SCHEMAS[schema] || { columns: [] }).columns.map(function (column) {
    return column.name;
  });
  if (names.indexOf(name) < 0) {
    refuse("schema " + schema + " has no field " + name + " here; use column and above_raw");
  }
  return names.indexOf(name);
}

function rawOf(column, data, key) {
  if (typeof data[key] !== "number") refuse(key + " is a number or null");
  return Math.round(data[key] / valueOf(column, 1));
}

// {from: ISO time} of the oldest row wanted, or {slot}; count rows from there on.
function resendArgs(data) {
  var schema = whole(data, "schema", 0, 65535);
  var item = intervalItem(data);
  var slot = data.from === undefined
    ? whole(data, "slot", 0, Math.pow(2, 40))
    : Math.floor(Date.parse(data.from) / 1000 / data.interval_s);
  if (data.from !== undefined && !(slot >= SHORT_SLOTS)) refuse("from is a time in ISO 8601");
  return [schema, item, slot, whole(data, "count", 1, Math.pow(2, 24))];
}

function resendOf(args) {
  var step = stepOf(args[1]);
  var slot = uint(args[2]);
  var from = slot < SHORT_SLOTS ? null : iso(slot * step);
  var data = { schema: uint(args[0], SHORT_SLOTS), interval_s: step };
  if (from === null) data.slot = slot;
  else data.from = from;
  data.count = uint(args[3]);
  return data;
}

function intervalItem(data) {
  var seconds = whole(data, "interval_s", 1, LONGEST_S);
  if (seconds % 60 === 0) return seconds / 60;
  if (seconds > 3600) refuse("interval_s above 3600 is a multiple of 60");
  return -seconds;
}

function whole(data, key, low, high) {
  if (!isInt(data[key]) || data[key] < low || data[key] > high) {
    refuse(key + " is a whole number from " + low + " to " + high);
  }
  return data[key];
}

// -- CBOR: deterministic out, strict in (RFC 8949, 4.2.1) ---------------------------------------

function Bytes(list) {
  this.list = list;
}

function Pairs(list) {
  this.list = list; // [key, value], in the order of the map
}

function Tagged(item) {
  this.item = item;
}

function Real(value) {
  this.value = value; // a float is never an integer, whatever its value
}

function isInt(item) {
  return typeof item === "number" && item % 1 === 0;
}

function uint(item, below) {
  if (!isInt(item) || item < 0 || item >= (below || Infinity)) refuse("a number is out of its range");
  return item;
}

function hex(list) {
  return list.map(function (byte) {
    return (byte + 256).toString(16).slice(1);
  }).join("");
}

function dump(items) {
  return items.reduce(function (made, item) {
    return made.concat(item === null ? [0xf6] : dumpInt(item));
  }, [0x80 + items.length]);
}

function dumpInt(number) {
  var major = number < 0 ? 0x20 : 0;
  var argument = number < 0 ? -1 - number : number;
  if (argument < 24) return [major + argument];
  var size = argument < 256 ? 1 : argument < 65536 ? 2 : argument < 4294967296 ? 4 : 8;
  var made = [major + { 1: 24, 2: 25, 4: 26, 8: 27 }[size]];
  for (var k = size - 1; k >= 0; k--) made.push(Math.floor(argument / Math.pow(256, k)) % 256);
  return made;
}

function load(bytes, tagged) {
  var from = { bytes: bytes, at: 0, tagged: tagged };
  var item = loadItem(from, DEEPEST);
  if (from.at !== bytes.length) refuse(bytes.length - from.at + " bytes after the end");
  return item;
}

function loadItem(from, depth) {
  if (depth === 0) refuse("nested too deeply");
  var first = take(from, 1)[0];
  var major = first >> 5;
  if (major === 7) return loadSimple(from, first & 31);
  var argument = loadArgument(from, first & 31);
  if (major === 0) return argument;
  if (major === 1) return -1 - argument;
  if (major === 2) return new Bytes(take(from, argument));
  if (major === 3) return loadText(take(from, argument));
  if (major === 4) return loadArray(from, argument, depth);
  if (major === 5) return loadMap(from, argument, depth);
  if (argument !== TYPED_ARRAY || !from.tagged) refuse("tag " + argument + " is not allowed");
  return new Tagged(loadItem(from, depth - 1));
}

function take(from, count) {
  if (count > from.bytes.length - from.at) refuse("cut off");
  from.at += count;
  return from.bytes.slice(from.at - count, from.at);
}

function loadArgument(from, info) {
  if (info < 24) return info;
  if (info > 27) refuse("an indefinite length");
  var size = 1 << (info - 24);
  var argument = take(from, size).reduce(function (sum, byte) {
    return sum * 256 + byte;
  }, 0);
  if (argument < (size === 1 ? 24 : Math.pow(16, size))) refuse("not written in the shortest form");
  return argument;
}

function loadArray(from, count, depth) {
  if (count > from.bytes.length - from.at) refuse("cut off");
  var items = [];
  while (items.length < count) items.push(loadItem(from, depth - 1));
  return items;
}

function loadMap(from, count, depth) {
  var pairs = [];
  var before = "";
  while (pairs.length < count) {
    var start = from.at;
    var key = loadItem(from, depth - 1);
    var written = hex(from.bytes.slice(start, from.at));
    if (written <= before) refuse("map keys are not in order");
    before = written;
    pairs.push([key, loadItem(from, depth - 1)]);
  }
  return new Pairs(pairs);
}

// No TextDecoder here; this one refuses what is no UTF-8.
function loadText(list) {
  return decodeURIComponent(hex(list).replace(/../g, "%$&"));
}

function loadSimple(from, info) {
  if (info > 27) refuse("an indefinite length");
  if (info < 20 || info === 24) refuse("an unassigned simple value");
  if (info < 24) return [false, true, null, undefined][info - 20];
  var list = take(from, 1 << (info - 24));
  var value = realOf(list);
  var short = isNaN(value) ? hex(list) === "7e00" : list.length === 2 || !fits(value, list.length / 2);
  if (!short) refuse("not written in the shortest form");
  return new Real(value);
}

// IEEE 754, big endian, in 2, 4 or 8 bytes.
function realOf(list) {
  var exponentBits = { 2: 5, 4: 8, 8: 11 }[list.length];
  var digits = list.length * 8 - 1 - exponentBits;
  var inHead = 15 - exponentBits; // digits in the first two bytes
  var head = (list[0] & 127) * 256 + list[1];
  var exponent = head >> inHead;
  var mantissa = list.slice(2).reduce(function (sum, byte) {
    return sum * 256 + byte;
  }, head & ((1 << inHead) - 1));
  var bias = (1 << (exponentBits - 1)) - 1;
  var sign = list[0] & 128 ? -1 : 1;
  if (exponent === 2 * bias + 1) return mantissa ? NaN : sign * Infinity;
  if (exponent > 0) mantissa += Math.pow(2, digits);
  return sign * mantissa * Math.pow(2, Math.max(exponent, 1) - bias - digits);
}

// Whether `size` bytes hold this value exactly.
function fits(value, size) {
  var digits = size === 2 ? 11 : 24;
  var unit = Math.pow(2, size === 2 ? -24 : -149);
  var highest = size === 2 ? 65504 : 3.4028234663852886e38;
  var distance = Math.abs(value);
  if (distance === Infinity) return true;
  if (distance > highest) return false;
  while (distance / unit >= Math.pow(2, digits)) unit *= 2;
  return (distance / unit) % 1 === 0;
}
