"use strict";
const Dispatcher = require("undici/lib/dispatcher/dispatcher.js");
const Agent = require("undici/lib/dispatcher/agent.js");
const ProxyAgent = require("undici/lib/dispatcher/proxy-agent.js");
Dispatcher.prototype.request ??= require("undici/lib/api/api-request.js");
module.exports = { Agent, ProxyAgent };
