// Segment's library for browsers. It is told where its settings are; they say where to send.
import { AnalyticsBrowser } from '@segment/analytics-next'
import { calling } from './calling.js'

export let make

export function load(host, writeKey) {
  make = calling(AnalyticsBrowser.load({ writeKey, cdnURL: host }))
}
