// RudderStack's library for browsers, with its plugins in the bundle.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'
import { calling } from './calling.js'

export let make

export function load(host, writeKey) {
  const analytics = new RudderAnalytics()
  analytics.load(writeKey, host, { configUrl: host })
  make = calling(analytics)
}
