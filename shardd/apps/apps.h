/* The built-in applications: one file and one row in main.c each. */
#ifndef SHARDD_APPS_H
#define SHARDD_APPS_H

#include "shardd/kennel.h"

extern const struct kennel_app chat_app;	/* the chat room */
extern const struct kennel_app echo_app;	/* what you send, you get */
extern const struct kennel_app front_app;	/* front page, assets, health */
extern const struct kennel_app pact_app;	/* rooms that remember */

#endif
