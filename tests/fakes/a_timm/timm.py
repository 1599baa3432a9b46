"""Stands in for timm, which brings torchvision along: three small networks by timm's names and conventions."""

from torch import nn

NAMES = ("resnet18", "vgg11", "vit_tiny")
made = []


class Small(nn.Module):
    def __init__(self, in_chans, num_classes, drop_rate, drop_path_rate=0.0, global_pool="avg"):
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.drop_rate, self.drop_path_rate, self.global_pool = drop_rate, drop_path_rate, global_pool
        self.fc = nn.Linear(8, num_classes)
        self.feature_info = [{"num_chs": 8, "reduction": 2, "module": "conv"}]

    def get_classifier(self):
        return self.fc

    def forward_features(self, x):
        return nn.functional.relu(self.norm(self.conv(x)))

    def forward_head(self, x, pre_logits=False):
        x = x.mean(dim=(2, 3))
        return x if pre_logits else self.fc(x)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


class OneSize(Small):
    """Of images of one size, as most transformers."""

    def forward_features(self, x):
        assert x.shape[2] == 224, f"Input height ({x.shape[2]}) doesn't match model (224)."
        return super().forward_features(x)


def is_model(name):
    return name.split(".")[0] in NAMES


def list_models():
    return list(NAMES)


def create_model(model_name, pretrained=False, in_chans=3, num_classes=1000, drop_rate=0.0, **kwargs):
    if pretrained:
        raise RuntimeError("Cannot reach the hub.")
    if model_name == "vgg11" and "drop_path_rate" in kwargs:
        raise TypeError("VGG.__init__() got an unexpected keyword argument 'drop_path_rate'")
    made.append(model_name)
    return (OneSize if model_name == "vit_tiny" else Small)(in_chans, num_classes, drop_rate, **kwargs)
