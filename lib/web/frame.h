/* SPDX-License-Identifier: MIT */
/* Routes of the frame that work on the loop, in files of their own. */
#ifndef WEB_FRAME_H
#define WEB_FRAME_H

struct err;
struct web_call;

int frame_login(struct web_call *call, struct err *err);
int frame_logout(struct web_call *call, struct err *err);
int frame_healthz(struct web_call *call, struct err *err);
int frame_readyz(struct web_call *call, struct err *err);
int frame_events(struct web_call *call, struct err *err);
int frame_ws(struct web_call *call, struct err *err);

#endif
