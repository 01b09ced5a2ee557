// Makes calls with the arguments that Segment's library for browsers has, and others took over.
export function calling(analytics) {
  return ({ type, ...call }) => {
    switch (type) {
      case 'identify':
        return analytics.identify(call.userId, call.traits)
      case 'group':
        return analytics.group(call.groupId, call.traits)
      case 'track':
        return analytics.track(call.event, call.properties)
      case 'alias':
        return analytics.alias(call.userId, call.previousId)
      default:
        return analytics[type](call.category, call.name, call.properties)
    }
  }
}
