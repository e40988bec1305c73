"""Documents that several operations show as examples."""

from typing import Any

PREDICTION_EXAMPLE: dict[str, Any] = {
    "id": "m9s346q3d25vt4f5v37e3s3e28",
    "model": "nina/echo",
    "version": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "input": {"text": "hi there"},
    "output": "HI THERE",
    "logs": "shouting\n",
    "error": None,
    "status": "succeeded",
    "source": "api",
    "data_removed": False,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "started_at": "2026-01-02T03:04:05.801240Z",
    "completed_at": "2026-01-02T03:04:06.950007Z",
    "metrics": {"predict_time": 1.148767, "total_time": 1.271106},
    "urls": {
        "get": "https://models.example.test/v1/predictions/m9s346q3d25vt4f5v37e3s3e28",
        "cancel": "https://models.example.test/v1/predictions/m9s346q3d25vt4f5v37e3s3e28/cancel",
        "web": "https://models.example.test/p/m9s346q3d25vt4f5v37e3s3e28",
    },
}
